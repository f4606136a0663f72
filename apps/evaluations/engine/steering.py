"""How many calls a slice may have under way and may start: what the limiter grants, handed to the pool."""

from __future__ import annotations

import time
from collections.abc import Sequence

from apps.evaluations.engine.calls import CallPool
from apps.evaluations.engine.work import Answer
from apps.providers.connection import ProviderConnection
from apps.providers.limiter import Member, Outcomes, Window

#: While the limit grows it is asked for often; once steady, seldom.
STEADY_S = 0.4
#: What a call is taken to need before any has told: a token is about four characters.
CHARACTERS_A_TOKEN = 4
OUTPUT_TOKENS = 256


class Steering:
    """Asks the limiter on behalf of one pool. Used by the slice's thread."""

    def __init__(self, pool: CallPool, connection: ProviderConnection, *, group: str, most: int) -> None:
        self._pool = pool
        self._most = most
        self._member = Member(connection, group=group, most=most)
        self._window = Window(connection)
        if self._window.limited:
            pool.permit(0)  # nothing starts before the window was asked
        self._collected: list[Answer] = []
        self._granted = -1
        self._asked_at = 0.0
        self._tokens_each = 0
        self._token_samples = 0

    def note(self, answers: Sequence[Answer]) -> None:
        """Remember what came back; the limiter is told with the next question."""
        self._collected += answers
        used = 0
        for answer in answers:
            response = answer.response
            if response is None or response.input_tokens is None:
                continue
            tokens = response.input_tokens + (response.output_tokens or 0)
            used += tokens - self._tokens_each
            self._token_samples += 1
            self._tokens_each += round((tokens - self._tokens_each) / self._token_samples)
        self._window.settle(tokens=used)

    def steer(self) -> float:
        """Renew what the pool may do; returns the seconds until the next call may start (0: now)."""
        now = time.monotonic()
        steady = self._granted >= min(self._most, self._pool.waiting + self._pool.in_flight)
        if now - self._asked_at >= (STEADY_S if steady else 0.0):
            self._asked_at = now
            want = min(self._most, self._pool.waiting + self._pool.in_flight)
            grant = self._member.renew(want=want, in_flight=self._pool.in_flight, outcomes=self._outcomes())
            if grant.calls != self._granted:
                self._granted = grant.calls
                self._pool.allow(at_once=grant.calls)
        return self._take_permits() if self._window.limited else 0.0

    def leave(self) -> None:
        """Give the share back, and the permits that were not used."""
        if self._window.limited:
            unused = self._pool.take_back_permits()
            self._window.settle(calls=unused, tokens=-unused * self._tokens_each)
        self._member.leave(self._outcomes())

    def _take_permits(self) -> float:
        # For free places only: a permit that waits for a long call would be used in another minute.
        free = max(0, self._granted - self._pool.in_flight)
        missing = min(self._pool.waiting, free) - (self._pool.permits or 0)
        if missing <= 0:
            return 0.0
        taken = self._window.take(missing, tokens_each=self._tokens_of_a_call())
        self._pool.permit(taken.calls)
        return taken.wait_s

    def _tokens_of_a_call(self) -> int:
        if not self._tokens_each:
            request = self._pool.next_request()
            if request is None:
                return OUTPUT_TOKENS
            characters = sum(len(str(message.content)) for message in request.messages)
            self._tokens_each = characters // CHARACTERS_A_TOKEN + (
                request.parameters.max_tokens or OUTPUT_TOKENS
            )
        return self._tokens_each

    def _outcomes(self) -> Outcomes:
        collected, self._collected = self._collected, []
        return self._pool.outcomes(collected)
