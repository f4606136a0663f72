"""Sending work to the workers, by name: apps never import `worker`."""

from __future__ import annotations

import logging
from enum import IntEnum
from typing import Any

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)


class Priority(IntEnum):
    """Which task of a queue a free worker takes first: the lowest. The broker keeps a list for each."""

    INTERACTIVE = 0
    RUN = 6


def enqueue(
    task_name: str,
    *,
    queue: str,
    priority: Priority = Priority.INTERACTIVE,
    countdown: float | None = None,
    **kwargs: Any,
) -> None:
    """Send the task once the current transaction has committed (at once where there is none).

    A broker that does not answer does not undo what was saved: the failure is logged, and the sweep
    finds the work again (the database is the only truth).
    """

    def send() -> None:
        try:
            _send(task_name, queue, priority, countdown, kwargs)
        except Exception as error:  # whatever the broker's client raises
            log.warning("%s could not be sent, and waits for the next sweep: %s", task_name, error)

    transaction.on_commit(send, robust=True)


def _send(
    task_name: str, queue: str, priority: Priority, countdown: float | None, kwargs: dict[str, Any]
) -> None:
    current_app.send_task(
        task_name,
        kwargs=kwargs,
        queue=queue,
        priority=int(priority),
        countdown=countdown,
        ignore_result=True,
        retry=False,
    )


def others_wait(queue: str) -> bool:
    """True when tasks of any priority wait on the queue, or in this worker process for a free thread.

    Also where the broker cannot be asked: whoever asks then gives way.
    """
    from celery.worker import state

    if len(state.reserved_requests) > len(state.active_requests):
        return True
    try:
        return _waiting(queue) > 0
    except Exception:
        return True


def person_waits(queue: str) -> bool:
    """True when a task waits on the queue that goes before a run's. False where the broker cannot be asked.

    A slice of a run asks before it begins: one with a countdown waits in the worker, not in the queue, so it
    begins ahead of whoever waits there.
    """
    try:
        return _waiting(queue, before=Priority.RUN) > 0
    except Exception:
        return False


def _waiting(queue: str, *, before: Priority | None = None) -> int:
    """How many tasks wait on the queue: of all priorities, or of those that go first."""
    with current_app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        steps = [step for step in channel.priority_steps if before is None or step < before]
        with channel.conn_or_acquire() as client:
            return sum(client.llen(channel._q_for_pri(queue, step)) for step in steps)
