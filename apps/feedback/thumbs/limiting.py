"""How many votes a subject, a network address and a project may give in a minute, counted in Valkey.

When Valkey does not answer, votes are taken uncounted: losing what people said would be worse than some votes
too many, which stay one a subject and answer, and untrusted, in any case. It is asked again a little later.
"""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings

from apps.feedback.thumbs.configuration import Taking
from apps.feedback.thumbs.errors import TooManyVotes

if TYPE_CHECKING:
    from limits.strategies import FixedWindowRateLimiter

log = logging.getLogger(__name__)

_ANSWER_WITHIN_S = 0.5
_ASK_AGAIN_AFTER_S = 5.0
_WHOSE = {"subject": "by this person", "address": "from this network address", "project": "for this project"}
_silent_until = 0.0


def votes_limit(*, project_id: UUID, taking: Taking, subject: str, origin: str, address: str) -> None:
    """Count one vote. Raises TooManyVotes for one more than a minute takes; a limit of 0 is none.

    An address is counted for browsers only (those name an origin): an application's own server sends for all
    its users.
    """
    global _silent_until
    if time.monotonic() < _silent_until:
        return
    counted = [("subject", taking.subject_per_minute, subject), ("project", taking.project_per_minute, "")]
    if origin:
        counted.append(("address", taking.address_per_minute, address))
    try:
        for whose, most, name in counted:
            if most:
                _count(whose, most, f"{project_id}/{name}")
    except TooManyVotes:
        raise
    except Exception as error:  # whatever the client raises
        _silent_until = time.monotonic() + _ASK_AGAIN_AFTER_S
        log.warning("Votes are taken uncounted for a moment, as Valkey does not answer: %s", error)


def _count(whose: str, most: int, name: str) -> None:
    from limits import RateLimitItemPerMinute

    item = RateLimitItemPerMinute(most, namespace="feedback")
    if _limiter().hit(item, whose, name):
        return
    wait = max(1, int(_limiter().get_window_stats(item, whose, name).reset_time - time.time()) + 1)
    raise TooManyVotes(
        f"More than {most:,} votes came {_WHOSE[whose]} within a minute. Try again in {wait} seconds.",
        retry_after_s=wait,
    )


@cache
def _limiter() -> FixedWindowRateLimiter:
    from limits.storage import RedisStorage
    from limits.strategies import FixedWindowRateLimiter

    storage = RedisStorage(
        settings.VALKEY_URL, socket_timeout=_ANSWER_WITHIN_S, socket_connect_timeout=_ANSWER_WITHIN_S
    )
    return FixedWindowRateLimiter(storage)
