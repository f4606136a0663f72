"""Many calls at once on the process's one asyncio loop.

A slice (in its own thread) feeds calls and collects answers in bulk; the loop starts the next call the moment
one ends, without asking the slice. So the database's time and the provider's time overlap.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from apps.evaluations.engine.work import Answer, WorkItem, failure_of, stop_the_run
from apps.providers.connection import ProviderConnection
from apps.providers.limiter import Outcomes
from apps.providers.process_loop import process_loop
from apps.providers.protocol import CompletionRequest, ErrorKind
from apps.providers.registry import adapter_for

_LIMITED = ErrorKind.RATE_LIMITED.value
_TROUBLED = (ErrorKind.OVERLOADED.value, ErrorKind.TIMEOUT.value)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and the item it answers."""

    item: WorkItem
    request: CompletionRequest


class CallPool:
    """Calls to one provider. Fed, steered and emptied by one thread; the calls run on the process's loop.

    Nothing starts until `allow` says how many may be under way.
    """

    def __init__(self, connection: ProviderConnection) -> None:
        self._connection = connection
        self._backlog: deque[Call] = deque()
        self._answers: deque[Answer] = deque()
        self._under_way: set[asyncio.Task[None]] = set()
        self._loop = process_loop()
        self._told = threading.Event()
        self._at_once = 0
        self._permits: int | None = None
        self._dropped = False
        self._saturated = False

    @property
    def waiting(self) -> int:
        """Calls that are not started yet."""
        return len(self._backlog)

    @property
    def in_flight(self) -> int:
        return len(self._under_way)

    @property
    def idle(self) -> bool:
        """Nothing waits, nothing runs, nothing is left to collect."""
        return not (self._backlog or self._under_way or self._answers)

    @property
    def permits(self) -> int | None:
        """How many more calls may be started in all; None: no such limit."""
        return self._permits

    def feed(self, calls: Iterable[Call]) -> None:
        self._backlog.extend(calls)
        self._loop.call_soon_threadsafe(self._start_calls)

    def allow(self, *, at_once: int) -> None:
        """How many calls may be under way from now on."""
        self._loop.call_soon_threadsafe(self._set_at_once, at_once)

    def permit(self, more: int) -> None:
        """So many more calls may be started; without any such word, as many as are fed."""
        if self._permits is None:
            self._permits = 0
        self._loop.call_soon_threadsafe(self._add_permits, more)

    def take_back_permits(self) -> int:
        """Permits that were not used. For a pool that was dropped."""
        unused, self._permits = self._permits or 0, 0
        return unused

    def next_request(self) -> CompletionRequest | None:
        """The request that is started next, if one waits."""
        try:
            return self._backlog[0].request
        except IndexError:
            return None

    def collect(self, timeout_s: float) -> list[Answer]:
        """The answers that are there after `timeout_s`, or as soon as there is nothing left to start."""
        self._told.wait(timeout_s)
        self._told.clear()
        answers = []
        while self._answers:
            answers.append(self._answers.popleft())
        return answers

    def outcomes(self, answers: Iterable[Answer]) -> Outcomes:
        """What became of the calls that gave `answers`, for the limiter."""
        kinds = [answer.failure.kind if answer.failure else "" for answer in answers if not answer.cached]
        saturated, self._saturated = self._saturated, False
        return Outcomes(
            ok=kinds.count(""),
            limited=kinds.count(_LIMITED),
            troubled=sum(kinds.count(kind) for kind in _TROUBLED),
            saturated=saturated,
        )

    def forget_waiting(self) -> None:
        """Calls that are not started yet will not be; those under way go on."""
        self._backlog.clear()

    def drop(self) -> None:
        """Cancel the calls under way and forget the rest: whoever claims their items next answers them."""
        self._dropped = True
        self._backlog.clear()
        self._loop.call_soon_threadsafe(self._cancel)

    # What follows runs on the loop.

    def _set_at_once(self, at_once: int) -> None:
        self._at_once = at_once
        self._start_calls()

    def _add_permits(self, more: int) -> None:
        self._permits = (self._permits or 0) + more
        self._start_calls()

    def _start_calls(self) -> None:
        while self._backlog and len(self._under_way) < self._at_once and self._permits != 0:
            try:
                call = self._backlog.popleft()
            except IndexError:  # forgotten meanwhile
                break
            if self._permits is not None:
                self._permits -= 1
            task = self._loop.create_task(self._answer(call))
            self._under_way.add(task)
            task.add_done_callback(self._ended)
            if not self._backlog:
                self._told.set()
        if self._backlog and len(self._under_way) >= self._at_once:
            self._saturated = True
        if not self._under_way:
            self._told.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not self._dropped:
            self._start_calls()

    def _cancel(self) -> None:
        for task in self._under_way:
            task.cancel()

    async def _answer(self, call: Call) -> None:
        started = timezone.now()
        try:
            response = await adapter_for(self._connection).complete(call.request)
            answer = Answer(call.item, started, call.request, response=response)
        except Exception as error:
            failure = failure_of(error)
            if stop_the_run(failure):  # no other call can succeed: make none
                self._at_once = 0
                self._backlog.clear()
            answer = Answer(call.item, started, call.request, failure=failure)
        self._answers.append(answer)
