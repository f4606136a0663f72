"""A page follows its event stream by server-sent events, holding no connection to the database."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connections

from apps.workbench.calls.errors import TooManyPages
from apps.workbench.calls.stream import FIELD, Page, away_ms

log = logging.getLogger(__name__)

BEGINNING = "0-0"
HEARTBEAT_S = 10.0
RECONNECT_AFTER_MS = 1000
#: How often it is looked whether the person may still read this.
CHECK_EVERY_S = 60.0
_AT_ONCE = 500
_PAUSE_S = 1.0
#: Pages that one person may follow on one web process, and all persons together: each waits for its events on
#: a connection of its own. What is spare is for noting who left.
MOST_OF_ONE = 50
MOST_PAGES = 2000
_SPARE = 50
#: Pages that are followed now, by owner.
_followed: Counter[str] = Counter()
_EVENT_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


def followed_by(owner: str) -> int:
    """How many pages of this person are followed on this process."""
    return _followed[owner]


def refuse_too_many(owner: str) -> None:
    """Raises TooManyPages when this person, or all together, follow as many pages as they may."""
    if followed_by(owner) >= MOST_OF_ONE or _followed.total() >= MOST_PAGES:
        raise TooManyPages("Too many pages are open at once. Close some of them, then try again.")


def begins_at(event_id: str) -> str:
    """Where to go on: after the event with this id; from the beginning without one, or with nonsense."""
    return event_id if _EVENT_ID.fullmatch(event_id) else BEGINNING


async def follow(page: Page, *, after: str, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The page's events after `after`, as they come, in the form of server-sent events.

    `allowed` reads the database; its connection is closed after each time. The stream ends when it says no.
    """
    await _let_go_of_database()
    checked, noted, client = time.monotonic(), 0.0, client_of_loop()
    _followed[page.owner] += 1
    try:
        yield f"retry: {RECONNECT_AFTER_MS}\n\n".encode()
        while True:
            if time.monotonic() - checked > CHECK_EVERY_S:
                checked = time.monotonic()
                if not await sync_to_async(_asked_shortly)(allowed):
                    yield b'data: {"type": "closed"}\n\n'
                    return
            try:
                if time.monotonic() - noted > away_ms() / 4000:
                    await client.set(page.presence_key, "1", px=away_ms())
                    noted = time.monotonic()
                found = await client.xread({page.key: after}, block=block_ms(), count=_AT_ONCE)
            except Exception as error:  # Valkey is away for a moment; the page's rows are not
                log.info("A page's stream waits for Valkey: %s", error)
                await asyncio.sleep(_PAUSE_S)
                yield b": waiting\n\n"
                continue
            events = events_in(found)
            after = events[-1][0] if events else after
            yield b"".join(map(_written, events)) or b": here\n\n"
    finally:
        _followed.subtract([page.owner])
        if not _followed[page.owner]:
            del _followed[page.owner]
        await asyncio.shield(note_leaving(page))


def block_ms() -> int:
    """Not so long that the page would count as left meanwhile."""
    return int(min(1000 * HEARTBEAT_S, away_ms() / 3))


def events_in(found: Any) -> list[tuple[str, bytes]]:
    """(id, JSON) of what XREAD found in the one stream, in either protocol's shape."""
    streams = found.values() if isinstance(found, dict) else [entries for _, entries in found or ()]
    rows = [row for entries in streams for row in _flat(entries)]
    return [(event_id.decode(), fields[FIELD]) for event_id, fields in rows]


def _flat(entries: Any) -> list[Any]:
    """RESP3 puts the entries of a stream into one more list."""
    return entries[0] if entries and isinstance(entries[0], list) else entries


def _written(event: tuple[str, bytes]) -> bytes:
    return b"id: " + event[0].encode() + b"\ndata: " + event[1] + b"\n\n"


async def note_leaving(page: Page) -> None:
    """From now on the page counts as left, unless it comes back in time."""
    try:
        await client_of_loop().set(page.presence_key, "1", px=away_ms())
    except Exception as error:
        log.info("A page's leaving could not be noted: %s", error)


def _asked_shortly(allowed: Callable[[], bool]) -> bool:
    try:
        return allowed()
    finally:
        connections.close_all()


async def _let_go_of_database() -> None:
    await sync_to_async(connections.close_all)()


_CLIENTS: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()


def client_of_loop() -> Any:
    """The loop's client; one that waits for events has a connection of its own from its pool."""
    import redis.asyncio

    loop = asyncio.get_running_loop()
    if loop not in _CLIENTS:
        _CLIENTS[loop] = redis.asyncio.from_url(
            settings.VALKEY_URL,
            socket_timeout=2 * HEARTBEAT_S,
            socket_connect_timeout=2.0,
            max_connections=MOST_PAGES + _SPARE,  # of its own accord it would have 100
        )
    return _CLIENTS[loop]
