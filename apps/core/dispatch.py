"""Sending work to the workers, by name: apps never import `worker`."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)


def enqueue(task_name: str, *, queue: str, countdown: float | None = None, **kwargs: Any) -> None:
    """Send the task once the current transaction has committed (at once where there is none).

    A broker that does not answer does not undo what was saved: the failure is logged, and the sweep
    finds the work again (the database is the only truth).
    """

    def send() -> None:
        try:
            _send(task_name, queue, countdown, kwargs)
        except Exception as error:  # whatever the broker's client raises
            log.warning("%s could not be sent, and waits for the next sweep: %s", task_name, error)

    transaction.on_commit(send, robust=True)


def _send(task_name: str, queue: str, countdown: float | None, kwargs: dict[str, Any]) -> None:
    current_app.send_task(
        task_name, kwargs=kwargs, queue=queue, countdown=countdown, ignore_result=True, retry=False
    )


def others_wait(queue: str) -> bool:
    """True when tasks wait on the queue, or in this worker process for a free thread.

    Also where the broker cannot be asked: whoever asks then gives way.
    """
    from celery.worker import state

    if len(state.reserved_requests) > len(state.active_requests):
        return True
    try:
        with current_app.connection_for_read() as connection:
            channel: Any = connection.default_channel
            return bool(channel._size(queue))
    except Exception:
        return True
