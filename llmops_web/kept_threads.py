"""Threads that are kept, for addresses that are asked hundreds of times a second.

Under ASGI Django begins a thread for each request, and with it a connection to the database. That does for
pages; a vote is done in less time than a connection takes to open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext

#: As ASGI has it; servers and frameworks type its parts differently.
Application = Callable[[Any, Any, Any], Awaitable[None]]

THREADS = 8


class KeptThreads:
    """Runs requests whose path begins with `prefix` on `threads` threads, one each at a time; others wait."""

    def __init__(self, application: Application, *, prefix: str, threads: int = THREADS) -> None:
        self._application = application
        self._prefix = prefix
        self._free: asyncio.Queue[ThreadPoolExecutor] = asyncio.Queue()
        for number in range(threads):
            self._free.put_nowait(ThreadPoolExecutor(1, thread_name_prefix=f"kept-{number}"))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            return await self._application(scope, receive, send)
        thread = await self._free.get()
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self._application(scope, receive, send)
        finally:
            self._free.put_nowait(thread)
