"""The database for a worker's loop: a few threads, each with its connection, however many calls stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import TypeVar

from django.db import close_old_connections, connections

Result = TypeVar("Result")
_THREADS = 2


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="calls-database")


def threads_end() -> None:
    """End the threads and their connections; the next work begins anew. For tests, whose database goes."""
    done = Barrier(_THREADS)

    def end() -> None:
        connections.close_all()
        done.wait()  # so that each thread takes one

    with _threads() as threads:
        for _ in range(_THREADS):
            threads.submit(end)
    _threads.cache_clear()


async def in_database(work: Callable[[], Result]) -> Result:
    """The result of `work`, called in one of the threads."""

    def run() -> Result:
        close_old_connections()
        try:
            return work()
        except Exception:
            connections.close_all()
            raise

    return await asyncio.get_running_loop().run_in_executor(_threads(), run)
