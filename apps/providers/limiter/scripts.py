"""The limiter's scripts, run inside Valkey so that each is one step for all workers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

#: A limiter that hangs must not hold calls up.
ANSWER_WITHIN_S = 2.0


@cache
def script(name: str) -> Any:
    """The script `name`.lua, ready to be called with `keys` and `args`."""
    import redis
    from django.conf import settings

    client = redis.from_url(
        settings.VALKEY_URL, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S
    )
    return client.register_script((Path(__file__).parent / f"{name}.lua").read_text())


def key(provider_id: str, part: str) -> str:
    return f"limits:{{{provider_id}}}:{part}"
