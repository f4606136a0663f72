"""Tasks of a person and of a run on one queue: who goes first, and who sees whom wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from queue import Empty

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import transaction

from apps.core.dispatch import Priority, enqueue, others_wait, person_waits

QUEUE = "dispatch-test"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _empty_queue() -> Iterator[None]:
    yield
    with redis.from_url(settings.VALKEY_URL) as broker:
        broker.delete(*broker.keys(f"{QUEUE}*") or [QUEUE])


def send(name: str, priority: Priority = Priority.INTERACTIVE) -> None:
    enqueue(name, queue=QUEUE, priority=priority)


def taken() -> list[str]:
    """The names of what waits, in the order in which a worker takes it."""
    names: list[str] = []
    with current_app.connection_for_read() as connection, connection.SimpleQueue(QUEUE) as waiting:
        while True:
            try:
                message = waiting.get(block=False)
            except Empty:
                return names
            message.ack()
            names.append(message.headers["task"])


def test_a_persons_task_goes_before_those_of_runs_that_came_earlier() -> None:
    send("run.1", Priority.RUN)
    send("run.2", Priority.RUN)
    send("person")
    assert taken() == ["person", "run.1", "run.2"]


def test_a_run_sees_others_of_any_priority_and_tells_a_person_apart() -> None:
    assert not others_wait(QUEUE)
    assert not person_waits(QUEUE)
    send("run", Priority.RUN)
    assert others_wait(QUEUE)
    assert not person_waits(QUEUE)
    send("person")
    assert person_waits(QUEUE)


def test_a_broker_that_does_not_answer_stops_no_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(current_app, "connection_for_read", fails)
    assert others_wait(QUEUE)
    assert not person_waits(QUEUE)


@pytest.mark.parametrize("in_transaction", [True, False])
def test_a_broker_that_does_not_answer_undoes_nothing_that_was_saved(
    in_transaction: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is sent after it goes out all the same, and the failure is in the log."""
    later: list[str] = []

    def refuse(*args: object, **rest: object) -> None:
        raise ConnectionRefusedError("the broker is away")

    monkeypatch.setattr(current_app, "send_task", refuse)
    with transaction.atomic() if in_transaction else nullcontext():
        send("first")
        transaction.on_commit(lambda: later.append("second"))

    assert later == ["second"]
    assert "the broker is away" in caplog.text
