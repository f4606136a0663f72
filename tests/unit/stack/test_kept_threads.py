"""Requests that come in their hundreds share a few threads; all others are left as they are."""

from __future__ import annotations

import asyncio
import threading
import time

from asgiref.sync import sync_to_async

from llmops_web.asgi import is_short
from llmops_web.asgi import is_vote as is_vote_of_ours
from llmops_web.kept_threads import KeptThreads


def is_vote(path: str) -> bool:
    return path.startswith("/votes/")


async def whole():
    return {"type": "http.request", "body": b"", "more_body": False}


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
        return await kept({"type": "http", "path": path}, whole, None)

    async def story():
        kept = KeptThreads(application, meant=is_vote, threads=2)
        paths = ["/votes/"] * 20 + ["/votes/broken/"] * 3 + ["/pages/"] * 3
        return await asyncio.gather(*(ask(kept, path) for path in paths), return_exceptions=True)

    answers = asyncio.run(story())
    assert sum(isinstance(answer, RuntimeError) for answer in answers) == 3
    assert len({name for path, name in seen if path != "/pages/"}) == 2
    assert most == 2
    assert not any(name.startswith("kept") for path, name in seen if path == "/pages/")
    assert len(seen) == 26


def test_who_sends_slowly_or_goes_keeps_no_thread():
    bodies: list[bytes] = []

    async def application(scope, receive, send):
        body = b""
        while (message := await receive()).get("more_body") is not False:
            body += message["body"]
        bodies.append(body + message["body"])
        assert (await receive())["type"] == "http.disconnect"

    def sender(*pieces, then=None):
        left = list(pieces)

        async def receive():
            if then is not None and not left:
                await then.wait()
            if not left:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": left.pop(0), "more_body": bool(left) or then is not None}

        return receive

    async def story():
        kept = KeptThreads(application, meant=is_vote, threads=1)
        vote = {"type": "http", "path": "/votes/"}
        never = asyncio.Event()
        slow = [asyncio.create_task(kept(vote, sender(b"{", then=never), None)) for _ in range(5)]
        await asyncio.sleep(0)
        long = b"a" * 3_000_000
        await asyncio.wait_for(kept(vote, sender(long, b"b"), None), 5)
        await asyncio.wait_for(kept(vote, sender(b"c" * 64 * 1024), None), 5)
        assert bodies == [long + b"b", b"c" * 64 * 1024]
        never.set()
        await asyncio.wait_for(asyncio.gather(*slow), 5)
        assert len(bodies) == 2, "those that went were not answered"

    asyncio.run(story())


def test_a_thread_is_free_once_it_has_done_what_a_request_that_was_left_asked_of_it():
    let_go = threading.Event()
    waited: list[float] = []

    async def application(scope, receive, send):
        await sync_to_async(let_go.wait if scope["path"] == "/votes/long/" else lambda: None)()

    async def story():
        kept = KeptThreads(application, meant=is_vote, threads=2)
        left = asyncio.create_task(kept({"type": "http", "path": "/votes/long/"}, whole, None))
        await asyncio.sleep(0.1)
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        for _ in range(4):
            begun = time.monotonic()
            await asyncio.wait_for(kept({"type": "http", "path": "/votes/"}, whole, None), 5)
            waited.append(time.monotonic() - begun)
        let_go.set()

    try:
        asyncio.run(story())
    finally:
        let_go.set()
    assert max(waited) < 1


def test_what_is_waited_for_and_downloads_have_threads_of_their_own():
    for path in (
        "spans/",
        "prompts/answer/",
        "datasets/files/",
        "feedback-tokens/",
        "training-sets/1/files/",
    ):
        assert is_short(f"/api/v1/{path}"), path
    long = (
        "prompts/answer/complete/",
        "datasets/all/export/",
        "training-sets/1/files/train.jsonl/",
        "feedback/",
    )
    for path in long:
        assert not is_short(f"/api/v1/{path}"), path
    assert is_vote_of_ours("/api/v1/feedback/own/")
    assert not is_short("/p/shop/prompts/")


def test_a_body_without_end_is_refused_before_it_is_read():
    told: list[dict[str, object]] = []
    read = 0

    async def application(scope, receive, send):
        raise AssertionError("not asked")

    async def receive():
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"a" * 1000, "more_body": True}

    async def send(message):
        told.append(message)

    kept = KeptThreads(application, meant=is_vote, threads=1, most_bytes=5_000)
    asyncio.run(kept({"type": "http", "path": "/votes/"}, receive, send))
    assert [told[0]["status"], read] == [413, 6]
