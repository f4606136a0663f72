"""How many calls may be under way at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import uuid4

from apps.providers.connection import ProviderConnection
from apps.providers.limiter.scripts import key, script

log = logging.getLogger(__name__)

#: Calls at once before anything is known of the provider.
START = 4
#: A 429 cuts the limit to this share of itself (as TCP's CUBIC does), at most once in CALM_S, in which the
#: calls that were under way at the cut come back.
CUT_TO = 0.7
CALM_S = 1.0
#: After a 5xx or a time-out the limit does not grow for so long.
GROW_PAUSE_S = 5.0
#: Whoever does not renew for so long has died, and its share is free.
TTL_S = 10.0
#: Calls at once of one member while the limiter cannot be asked.
WITHOUT_LIMITER = 4


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the calls since the last renewal. Cached answers are no calls and count nowhere.

    `limited` counts 429s, `troubled` 5xx and time-outs. `saturated`: as many calls as were granted were under
    way, with more waiting.
    """

    ok: int = 0
    limited: int = 0
    troubled: int = 0
    saturated: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """`calls` may be under way by this member; `limit` is what all members of the credential share."""

    calls: int
    limit: int


class Member:
    """One taker of a provider's concurrent calls. Members of one `group` (a run) share its own limit.

    Used by one thread; `renew` it several times a second, `leave` at the end.
    """

    def __init__(self, connection: ProviderConnection, *, group: str, most: int) -> None:
        self._connection = connection
        self._group = group
        self._most = most
        self._name = uuid4().hex
        self._warned = False

    def renew(self, *, want: int, in_flight: int, outcomes: Outcomes) -> Grant:
        """Tell what became of the calls, and ask for up to `want` under way (those already are included)."""
        provider, most = self._connection.provider_id, self._connection.max_concurrency
        try:
            granted, limit = script("allot")(
                keys=[key(provider, "state"), key(provider, "members")],
                args=[
                    self._name,
                    self._group,
                    want,
                    in_flight,
                    self._most,
                    most,
                    outcomes.ok,
                    outcomes.limited,
                    outcomes.troubled,
                    int(outcomes.saturated),
                    TTL_S,
                    min(START, most),
                    CUT_TO,
                    CALM_S,
                    GROW_PAUSE_S,
                ],
            )
        except Exception:  # whatever the client raises: see the package's text
            if not self._warned:
                log.warning("The limiter of calls does not answer; a few at a time go on.", exc_info=True)
                self._warned = True
            calls = min(want, self._most, WITHOUT_LIMITER)
            return Grant(calls, calls)
        self._warned = False
        return Grant(int(granted), int(limit))

    def leave(self, outcomes: Outcomes = Outcomes()) -> None:
        """Give the share back."""
        self.renew(want=0, in_flight=0, outcomes=outcomes)
