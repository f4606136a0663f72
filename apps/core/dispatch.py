"""Sending work to the workers, by name: apps never import `worker`."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction


def enqueue(task_name: str, *, queue: str, countdown: float | None = None, **kwargs: Any) -> None:
    """Send the task once the current transaction has committed (at once where there is none).

    A broker that does not answer does not undo what was saved: the failure is logged, and the sweep
    finds the work again (the database is the only truth).
    """
    transaction.on_commit(partial(_send, task_name, queue, countdown, kwargs), robust=True)


def _send(task_name: str, queue: str, countdown: float | None, kwargs: dict[str, Any]) -> None:
    current_app.send_task(
        task_name, kwargs=kwargs, queue=queue, countdown=countdown, ignore_result=True, retry=False
    )
