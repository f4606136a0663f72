"""Our own limit on calls per minute to a provider, held by all workers together.

A moving window in the broker's Valkey (so it needs no clock of ours), counted before each call. When
Valkey does not answer, calls go through: the provider's own limit still stands.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from functools import cache
from typing import Any

from apps.providers.connection import ProviderConnection
from apps.providers.protocol import ErrorKind, ProviderError

log = logging.getLogger(__name__)

#: Whoever waits longer than this stands behind hundreds of others; better to say so.
MAX_WAIT_S = 900.0
_LEAST_NAP_S = 0.05
#: Seconds by which those who wait come back at different times.
_SPREAD_S = 0.25


async def wait_for_turn(connection: ProviderConnection) -> None:
    """Return when a call to the provider is within its calls per minute.

    Raises ProviderError(RATE_LIMITED) after MAX_WAIT_S.
    """
    if connection.requests_per_minute is None:
        return
    ends = time.monotonic() + MAX_WAIT_S
    while (wait := await asyncio.to_thread(_seconds_to_wait, connection)) > 0:
        if time.monotonic() + wait > ends:
            raise ProviderError(
                f"The limit of {connection.requests_per_minute} calls per minute left no turn for "
                f"{MAX_WAIT_S / 60:g} minutes.",
                kind=ErrorKind.RATE_LIMITED,
                retry_after_s=wait,
            )
        await asyncio.sleep(max(_LEAST_NAP_S, wait) + random.uniform(0, _SPREAD_S))


def _seconds_to_wait(connection: ProviderConnection) -> float:
    """Take a turn (0), or how long until there may be one."""
    from limits import RateLimitItemPerMinute

    assert connection.requests_per_minute is not None
    item = RateLimitItemPerMinute(connection.requests_per_minute, namespace="provider-calls")
    try:
        limiter = _limiter()
        if limiter.hit(item, connection.provider_id):
            return 0.0
        reset = limiter.get_window_stats(item, connection.provider_id).reset_time
        return max(_LEAST_NAP_S, float(reset) - time.time())
    except Exception:  # whatever the storage raises: see the module's text
        log.warning("The limit on calls per minute cannot be counted; calls go through.", exc_info=True)
        return 0.0


@cache
def _limiter() -> Any:
    from django.conf import settings
    from limits.storage import storage_from_string
    from limits.strategies import MovingWindowRateLimiter

    return MovingWindowRateLimiter(storage_from_string(limits_uri(settings.VALKEY_URL)))


def limits_uri(valkey_url: str) -> str:
    """The server's address as the package `limits` writes it."""
    return f"redis+{valkey_url}" if valkey_url.startswith("unix://") else valkey_url
