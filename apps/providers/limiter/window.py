"""How many calls may be started: requests and tokens over the last minute."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass

from apps.providers.connection import ProviderConnection
from apps.providers.limiter.scripts import key, script
from apps.providers.protocol import ErrorKind, ProviderError

log = logging.getLogger(__name__)

#: Whoever waits longer than this for one call stands behind hundreds of others; better to say so.
LONGEST_WAIT_S = 900.0
#: Seconds by which those who wait come back at different times.
_SPREAD_S = 0.25


@dataclass(frozen=True, slots=True)
class Taken:
    """`calls` may be started now; with none, the next may be free after `wait_s` seconds."""

    calls: int
    wait_s: float = 0.0


class Window:
    """A provider's requests and tokens a minute: no more in any 60 seconds, by all workers together."""

    def __init__(self, connection: ProviderConnection) -> None:
        self._provider = connection.provider_id
        self._calls = connection.requests_per_minute or 0
        self._tokens = connection.tokens_per_minute or 0

    @property
    def limited(self) -> bool:
        return bool(self._calls or self._tokens)

    def take(self, calls: int, *, tokens_each: int = 0) -> Taken:
        """Take up to `calls` calls, each expected to use `tokens_each` tokens (input and output)."""
        if not self.limited or calls <= 0:
            return Taken(max(0, calls))
        try:
            taken, wait_ms = script("window")(
                keys=[key(self._provider, "window")],
                args=[calls, tokens_each if self._tokens else 0, self._calls, self._tokens],
            )
        except Exception:  # whatever the client raises: see the package's text
            log.warning("The limit on calls per minute cannot be counted; calls go through.", exc_info=True)
            return Taken(calls)
        return Taken(int(taken), int(wait_ms) / 1000)

    def settle(self, *, calls: int = 0, tokens: int = 0) -> None:
        """Correct what was taken: `calls` that were not made after all, `tokens` beyond those expected."""
        if not self.limited or not (calls or (tokens and self._tokens)):
            return
        try:
            script("settle")(
                keys=[key(self._provider, "window")], args=[-calls, tokens if self._tokens else 0]
            )
        except Exception:
            log.warning("The limit on calls per minute cannot be corrected.", exc_info=True)


async def one_turn(
    connection: ProviderConnection, *, tokens: int = 0, within_s: float = LONGEST_WAIT_S
) -> None:
    """Return when a call that a person waits for is within the provider's requests and tokens a minute.

    Raises ProviderError(RATE_LIMITED) when that is not so within `within_s` seconds.
    """
    window = Window(connection)
    if not window.limited:
        return
    ends = time.monotonic() + within_s
    while not (taken := await asyncio.to_thread(window.take, 1, tokens_each=tokens)).calls:
        if time.monotonic() + taken.wait_s > ends:
            raise ProviderError(
                f"The provider's calls or tokens per minute are used up; wait {taken.wait_s:.0f} s.",
                kind=ErrorKind.RATE_LIMITED,
                retry_after_s=taken.wait_s,
            )
        await asyncio.sleep(taken.wait_s + random.uniform(0, _SPREAD_S))
