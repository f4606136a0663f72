"""Threads that are kept, for addresses that are asked hundreds of times a second.

Under ASGI Django begins a thread for each request, and with it a connection to the database. That does for
pages. Programs ask faster than a connection opens, and hundreds at once would take all that the database has.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext

#: As ASGI has it; servers and frameworks type its parts differently.
Application = Callable[[Any, Any, Any], Awaitable[None]]

THREADS = 8
#: Longer bodies wait on disk, as Django's own do.
_IN_MEMORY = 1_000_000
_PIECE = 64 * 1024


class KeptThreads:
    """Runs requests whose path is `meant` on `threads` threads, one each at a time; others wait.

    A body of more than `most_bytes` is answered 413 as soon as it is; None reads any.
    """

    def __init__(
        self,
        application: Application,
        *,
        meant: Callable[[str], bool],
        threads: int = THREADS,
        most_bytes: int | None = None,
    ) -> None:
        self._application = application
        self._meant = meant
        self._most_bytes = most_bytes
        self._free: asyncio.Queue[ThreadPoolExecutor] = asyncio.Queue()
        for number in range(threads):
            self._free.put_nowait(ThreadPoolExecutor(1, thread_name_prefix=f"kept-{number}"))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not self._meant(scope["path"]):
            return await self._application(scope, receive, send)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as body:
            # Before a thread is taken: who sends slowly keeps nobody else waiting.
            try:
                if not await _is_whole(body, receive, self._most_bytes):
                    return None
            except _TooLong:
                return await _refuse(send)
            body.seek(0)
            thread = await self._free.get()
            try:
                async with ThreadSensitiveContext(executor=thread):
                    await self._application(scope, _Replayed(body, receive), send)
            finally:
                self._give_back(thread)

    def _give_back(self, thread: ThreadPoolExecutor) -> None:
        """Free once it has done what it is at: a request that was left may have work in it still."""
        loop = asyncio.get_running_loop()
        done = asyncio.wrap_future(thread.submit(lambda: None), loop=loop)
        done.add_done_callback(lambda _: self._free.put_nowait(thread))


class _TooLong(Exception):
    """The body is longer than it may be."""


async def _refuse(send: Any) -> None:
    told = {"type": "about:blank", "title": "Content Too Large", "status": 413, "code": "too_large"}
    content = json.dumps({**told, "detail": "The body is too large."}).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _is_whole(body: Any, receive: Any, most_bytes: int | None) -> bool:
    """Read the request's body; False when its sender went first. Raises _TooLong."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        body.write(message.get("body", b""))
        if most_bytes is not None and body.tell() > most_bytes:
            raise _TooLong
        if not message.get("more_body", False):
            return True


class _Replayed:
    """What was read, piece by piece, then whatever else the server tells."""

    def __init__(self, body: Any, receive: Any) -> None:
        self._body, self._receive = body, receive
        self._told = False

    async def __call__(self) -> Any:
        if self._told:
            return await self._receive()
        piece = self._body.read(_PIECE)
        self._told = len(piece) < _PIECE
        return {"type": "http.request", "body": piece, "more_body": not self._told}
