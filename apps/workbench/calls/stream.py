"""The event stream of a page: what happens to its calls, kept in Valkey for an hour.

A page is known by its project, whose it is, and the number that the browser gave it: nobody reads another's.
Publishing never fails its caller: the rows are the truth, the stream only tells the same sooner.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

if TYPE_CHECKING:
    from redis import Redis

    from apps.core.actor import Actor
    from apps.core.models import Project
    from apps.workbench.models import Call

log = logging.getLogger(__name__)

#: How long a stream is kept after its last event.
KEPT_S = 3600
#: Events of a page that are kept; the oldest go first.
MOST_EVENTS = 20_000
ANSWER_WITHIN_S = 2.0
FIELD = b"event"

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A browser page: `owner` is "user:<id>" (or "api_key:<id>", which never looks)."""

    project_id: UUID
    owner: str
    page: UUID

    @classmethod
    def of_call(cls, call: Call) -> Page:
        return cls(call.project_id, f"{call.author_kind}:{call.author_id}", call.page)

    @classmethod
    def of_actor(cls, *, project: Project, by: Actor, page: UUID) -> Page:
        return cls(project.pk, f"{by.kind}:{by.id}", page)

    @property
    def key(self) -> str:
        return f"workbench:page:{self.project_id}:{self.owner}:{self.page}"

    @property
    def presence_key(self) -> str:
        """There while the page looks, and for `settings.PAGE_AWAY_S` seconds after."""
        return f"{self.key}:present"


def publish(page: Page, event: Event) -> None:
    """Tell the page, now. For code outside of an asyncio loop."""
    try:
        pipeline = valkey().pipeline(transaction=False)
        add(pipeline, page.key, event)
        pipeline.expire(page.key, KEPT_S)
        pipeline.execute()
    except Exception as error:  # whatever the client raises
        log.warning("An event of a page could not be published: %s", error)


def events_since(page: Page, *, after: str = "0-0", most: int = MOST_EVENTS) -> list[dict[str, Any]]:
    """The events that are kept, oldest first. Raises what Valkey's client raises."""
    client: Any = valkey()
    return [json.loads(fields[FIELD]) for _, fields in client.xrange(page.key, min=f"({after}", count=most)]


def told_so_far(call: Call) -> str:
    """The text that the call's page was told; "" where nothing is kept, or Valkey does not answer."""
    try:
        events = events_since(Page.of_call(call))
    except Exception as error:
        log.warning("The text of call %s could not be read: %s", call.pk, error)
        return ""
    mine = str(call.pk)
    return "".join(e["text"] for e in events if e.get("type") == "text" and e.get("call") == mine)


def is_present(page: Page) -> bool:
    """Raises what Valkey's client raises."""
    return bool(valkey().exists(page.presence_key))


def note_presence(page: Page) -> None:
    """The page asked for something, so it is there, connected or not yet."""
    try:
        valkey().set(page.presence_key, "1", px=away_ms())
    except Exception as error:
        log.warning("The presence of a page could not be noted: %s", error)


def away_ms() -> int:
    """After so many milliseconds without a sign a page counts as left."""
    return int(1000 * float(settings.PAGE_AWAY_S))


def add(pipeline: Any, key: str, event: Event) -> None:
    """Queue the event on a pipeline, of either client."""
    pipeline.xadd(key, {FIELD: written(event)}, maxlen=MOST_EVENTS, approximate=True)


def written(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"), default=str).encode(
        "utf-8", "replace"
    )


def event_of(call: Call, type: str, **more: Any) -> dict[str, Any]:
    """An event of a call; `at` is when it happened, in seconds since 1970."""
    return {
        "call": str(call.pk),
        "column": call.column,
        "batch": str(call.batch),
        "purpose": call.purpose,
        "type": type,
        "at": time.time(),
        **more,
    }


@cache
def valkey() -> Redis:
    import redis

    return redis.from_url(
        settings.VALKEY_URL, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S
    )
