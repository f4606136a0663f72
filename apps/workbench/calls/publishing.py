"""Publishing from a worker's loop: many calls' events in few round trips, their text in gathered pieces."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from weakref import WeakKeyDictionary

from django.conf import settings

from apps.workbench.calls.stream import ANSWER_WITHIN_S, KEPT_S, Event, add

log = logging.getLogger(__name__)

#: After a piece is sent, what comes within this time is sent together.
GATHER_S = 0.025
#: Of a long answer, which nobody reads as fast as it comes, more is gathered: a page's stream is bounded.
LONG_AFTER_PIECES = 1500
GATHER_LONG_S = 0.1
#: How often a stream under way is given its hour anew.
RENEW_EVERY_S = 60.0
_MOST_RENEWED = 5000
_PAUSE_S = 0.5


class Publisher:
    """Sends events of all calls of one loop, in the order in which they were given.

    While one round trip is under way, what comes is gathered for the next.
    """

    def __init__(self) -> None:
        import redis.asyncio

        self._client = redis.asyncio.from_url(
            settings.VALKEY_URL, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S
        )
        self._waiting: list[tuple[str, Event, asyncio.Future[bool]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._told = False
        self._renewed: dict[str, float] = {}

    async def send(self, key: str, event: Event) -> bool:
        """True once the event is in the stream; False where Valkey did not take it."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, event, done))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_all())
        return await done

    async def present(self, keys: list[str]) -> list[bool]:
        """For each presence key, whether its page is there. Raises what Valkey's client raises."""
        return [value is not None for value in await self._client.mget(keys)]

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                sent = await self._send([(key, event) for key, event, _ in batch])
                for _, _, done in batch:
                    if not done.done():
                        done.set_result(sent)
        finally:
            self._sender = None

    async def _send(self, events: list[tuple[str, Event]]) -> bool:
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for key, event in events:
                    add(pipeline, key, event)
                for key in self._to_renew({key for key, _ in events}):
                    pipeline.expire(key, KEPT_S)
                await pipeline.execute()
        except Exception as error:  # whatever the client raises
            if not self._told:  # once an outage
                log.warning("Events of pages cannot be published: %s", error)
            self._told = True
            return False
        self._told = False
        return True

    def _to_renew(self, keys: set[str]) -> list[str]:
        """Those streams that nobody gave a new end for a while."""
        now = time.monotonic()
        due = [key for key in keys if now - self._renewed.get(key, -RENEW_EVERY_S) >= RENEW_EVERY_S]
        if len(self._renewed) > _MOST_RENEWED:
            self._renewed.clear()
        self._renewed.update(dict.fromkeys(due, now))
        return due


_PUBLISHERS: WeakKeyDictionary[asyncio.AbstractEventLoop, Publisher] = WeakKeyDictionary()


def publisher() -> Publisher:
    """The running loop's publisher."""
    return _PUBLISHERS.setdefault(asyncio.get_running_loop(), Publisher())


class Pieces:
    """The text of one call on its way to the page: the first piece at once, later ones gathered.

    An event's `from` is how many characters the page has by then, so that it notices a gap; `at` is when its
    oldest character reached the worker.
    """

    def __init__(self, key: str, event: Callable[..., Event]) -> None:
        self._key = key
        self._event = event
        self._buffer: list[str] = []
        self._since = 0.0
        self._sent_chars = 0
        self._sent_pieces = 0
        self._more = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._flusher = asyncio.create_task(self._flush_forever())

    def add(self, text: str) -> None:
        if not self._buffer:
            self._since = time.time()
        self._buffer.append(text)
        self._more.set()

    async def close(self) -> None:
        """Send what is left, if Valkey takes it."""
        self._flusher.cancel()
        await asyncio.gather(self._flusher, return_exceptions=True)
        await self._flush()

    async def _flush_forever(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            # A piece that is on its way is never given up half sent: it would be sent twice.
            sent = await asyncio.shield(asyncio.ensure_future(self._flush()))
            long = self._sent_pieces > LONG_AFTER_PIECES
            await asyncio.sleep((GATHER_LONG_S if long else GATHER_S) if sent else _PAUSE_S)

    async def _flush(self) -> bool:
        async with self._flushing:
            return await self._send_buffer()

    async def _send_buffer(self) -> bool:
        if not self._buffer:
            return True
        text, since = "".join(self._buffer), self._since
        self._buffer = []
        sent = await publisher().send(
            self._key, self._event("text", text=text, **{"from": self._sent_chars}, at=since)
        )
        if not sent:
            self._buffer.insert(0, text)
            self._since = since
            self._more.set()
            return False
        self._sent_chars += len(text)
        self._sent_pieces += 1
        return True
