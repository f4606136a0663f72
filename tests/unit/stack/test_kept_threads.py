"""Requests that come in their hundreds share a few threads; all others are left as they are."""

from __future__ import annotations

import asyncio
import threading

from asgiref.sync import sync_to_async

from llmops_web.kept_threads import KeptThreads


def test_requests_of_the_prefix_share_threads_and_others_do_not_wait_for_them():
    seen: list[tuple[str, str]] = []
    at_once = 0
    most = 0

    async def application(scope, receive, send):
        nonlocal at_once, most
        if scope["path"].startswith("/votes/"):
            at_once += 1
            most = max(most, at_once)
        name = await sync_to_async(lambda: threading.current_thread().name)()
        await asyncio.sleep(0)
        seen.append((scope["path"], name))
        if scope["path"].startswith("/votes/"):
            at_once -= 1
            if scope["path"] == "/votes/broken/":
                raise RuntimeError("broken")

    async def ask(kept, path):
        return await kept({"type": "http", "path": path}, None, None)

    async def story():
        kept = KeptThreads(application, prefix="/votes/", threads=2)
        paths = ["/votes/"] * 20 + ["/votes/broken/"] * 3 + ["/pages/"] * 3
        return await asyncio.gather(*(ask(kept, path) for path in paths), return_exceptions=True)

    answers = asyncio.run(story())
    assert sum(isinstance(answer, RuntimeError) for answer in answers) == 3
    assert len({name for path, name in seen if path != "/pages/"}) == 2
    assert most == 2
    assert not any(name.startswith("kept") for path, name in seen if path == "/pages/")
    assert len(seen) == 26
