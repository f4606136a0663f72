"""A provider's requests a minute, counted in Valkey for all workers together."""

from __future__ import annotations

import logging
from functools import lru_cache

from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import ConnectionPool, RedisError

from apps.providers.connection import ProviderConnection

log = logging.getLogger(__name__)


class RequestLimit:
    """Asks for leave before each call; a provider without `requests_per_minute` always gives it."""

    def __init__(self, connection: ProviderConnection) -> None:
        most = connection.requests_per_minute
        self._limit = RateLimitItemPerMinute(most) if most else None
        self._key = f"provider:{connection.provider_id}"

    def take(self) -> bool:
        """True when one more call may be made now; it is counted then.

        While Valkey does not answer, no call is made: a limit that cannot be counted cannot be kept.
        """
        if self._limit is None:
            return True
        try:
            return bool(_limiter(settings.VALKEY_URL).hit(self._limit, self._key))
        except RedisError:
            log.warning("The request limit cannot be counted: Valkey does not answer", exc_info=True)
            return False


@lru_cache(maxsize=2)
def _limiter(url: str) -> MovingWindowRateLimiter:
    pool = ConnectionPool.from_url(url, socket_timeout=5, socket_connect_timeout=5)
    return MovingWindowRateLimiter(RedisStorage("redis://", connection_pool=pool, key_prefix="limits"))
