"""An httpx2 client that opens connections only to addresses the guard allows.

The name is resolved here, every address is checked, and the connection is opened to the checked
address itself, so nothing is resolved a second time between the check and the call. TLS still
verifies the certificate against the name. Redirects are not followed and proxies from the
environment are not used: both would take the call somewhere that was never checked.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from functools import cache
from ipaddress import ip_address
from typing import Any

import httpcore2
import httpx2

from apps.core.url_guard import check_address, check_host

#: A chat completion is kilobytes; more than this is not an answer but a fault or an attack.
MAX_RESPONSE_BYTES = 32_000_000
CONNECT_TIMEOUT_S = 10.0


class ResponseTooLarge(Exception):
    """The server sent more than MAX_RESPONSE_BYTES."""


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves, checks, then connects to the checked address."""

    def __init__(self) -> None:
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        check_host(host)
        deadline = None if timeout is None else time.monotonic() + timeout
        addresses = await _resolve(host, port, timeout)
        for address in addresses:
            check_address(ip_address(address))
        failure: Exception | None = None
        for address in addresses:
            left = None if deadline is None else max(0.1, deadline - time.monotonic())
            try:
                return await self._backend.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address.")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        raise httpcore2.ConnectError("Unix sockets are not called.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _resolve(host: str, port: int, timeout: float | None) -> list[str]:
    """Distinct numeric addresses in the resolver's order, without IPv6 zones."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise httpcore2.ConnectTimeout(f"The name {host} was not resolved in time.") from None
    except (socket.gaierror, UnicodeError) as error:
        raise NameNotResolved(host) from error
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


class NameNotResolved(httpcore2.ConnectError):
    """The host name is not known to the resolver."""


class _LimitedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for part in self._stream:
            total += len(part)
            if total > MAX_RESPONSE_BYTES:
                raise ResponseTooLarge(f"more than {MAX_RESPONSE_BYTES // 1_000_000} MB")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """httpx2's own transport on a pool whose connections are guarded and whose answers are bounded."""

    def __init__(self, *, max_connections: int) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=30.0,
            network_backend=GuardedBackend(),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        return httpx2.Response(
            status_code=response.status_code,
            headers=response.headers.raw,
            stream=_LimitedStream(response.stream),
            extensions=response.extensions,
        )


@cache
def _ssl_context() -> ssl.SSLContext:
    """One for the process: reading the certificate bundle takes tens of milliseconds."""
    return httpx2.create_ssl_context()


def guarded_client(*, api_key: str, timeout_s: float, max_concurrency: int) -> httpx2.AsyncClient:
    """A client that sends this credential, or none, and never one from the environment."""

    async def set_credential(request: httpx2.Request) -> None:
        for header in ("authorization", "api-key", "openai-organization", "openai-project"):
            request.headers.pop(header, None)
        request.headers["accept-encoding"] = "identity"  # the size limit counts what is decoded
        if api_key:
            request.headers["authorization"] = f"Bearer {api_key}"

    return httpx2.AsyncClient(
        transport=GuardedTransport(max_connections=max(1, max_concurrency)),
        timeout=httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        follow_redirects=False,
        trust_env=False,
        event_hooks={"request": [set_credential]},
    )
