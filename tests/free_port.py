"""A port for a server of a test that stays free while that server stops and starts again."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

_FIRST, _LAST = 20_000, 65_535
#: ip(7). Elsewhere than on Linux the range that RFC 6335 sets apart.
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_DYNAMIC_PORTS = (49_152, 65_535)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now and lies outside of the ephemeral range.

    From that range the kernel picks ports for outgoing connections and for sockets bound to port 0, at any
    moment: one found there may be gone before it is used. Falls back to it where it leaves nothing else.
    """
    low, high = _ephemeral_range()
    outside = [port for port in range(_FIRST, _LAST + 1) if not low <= port <= high]
    # By the system's randomness: test processes that share a seed would all choose the same.
    candidates = secrets.SystemRandom().sample(outside, min(100, len(outside)))
    return next((port for port in candidates if _bound(port)), None) or _bound(0)


def _ephemeral_range() -> tuple[int, int]:
    if not _EPHEMERAL_RANGE.exists():
        return _DYNAMIC_PORTS
    low, high = map(int, _EPHEMERAL_RANGE.read_text().split())
    return low, high


def _bound(port: int) -> int:
    """Bind and let go: the port that it was, 0 when it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
        bound: int = probe.getsockname()[1]
        return bound
