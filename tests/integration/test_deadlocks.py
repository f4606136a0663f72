"""Where two transactions wait for each other the database ends one, which is done again."""

from __future__ import annotations

from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from psycopg.errors import DeadlockDetected

from apps.core.locks import again_after_deadlock
from apps.core.models import Project
from apps.feedback.models import Feedback
from apps.feedback.thumbs import receiving
from apps.feedback.thumbs.receiving import Said, feedback_give, feedback_withdraw
from tests.factories.feedback import make_span
from tests.factories.thumbs import token_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_vote_that_a_deadlock_took_is_given_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(make_span(project))
    feedback_give(token=token, said=Said(thumb=1))
    together, real = Barrier(2), receiving._score
    ended: list[str] = []

    def meet() -> None:
        try:
            together.wait(5)
        except BrokenBarrierError:
            return

    def scored(feedback: Feedback) -> None:
        meet()
        real(feedback)

    def other() -> None:
        """Holds the score, and wants the vote."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '10s'")  # so that it is the vote that is ended
                cursor.execute("SELECT 1 FROM traces_spanscore FOR UPDATE")
                meet()
                cursor.execute("SELECT 1 FROM feedback_feedback FOR UPDATE")
                together.abort()
                ended.append("well")
        finally:
            connections.close_all()

    monkeypatch.setattr(receiving, "_score", scored)
    holding = Thread(target=other)
    holding.start()
    assert feedback_give(token=token, said=Said(thumb=-1)).revision == 2
    holding.join()
    assert ended == ["well"]
    together.reset()
    together.abort()
    withdrawn = feedback_withdraw(token=token)
    assert withdrawn is not None
    assert withdrawn.thumb is None


def test_what_fails_otherwise_or_again_and_again_is_told() -> None:
    tries: list[Any] = []

    def failing(cause: Exception | None) -> None:
        tries.append(cause)
        raise OperationalError("ended") from cause

    with pytest.raises(OperationalError):
        again_after_deadlock(failing)(None)
    assert len(tries) == 1
    with pytest.raises(OperationalError):
        again_after_deadlock(failing)(DeadlockDetected())
    assert len(tries) == 5
    with pytest.raises(OperationalError), transaction.atomic():
        again_after_deadlock(failing)(DeadlockDetected())
    assert len(tries) == 6
