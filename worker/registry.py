"""How a task is declared: by name, bound to the one queue it runs on; and how sweeps are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Task

from llmops_web.celery import app
from worker.queues import QUEUES

Work = Callable[..., Any]
#: Name of each task and the queue it is bound to.
QUEUE_OF: dict[str, str] = {}
#: Functions that find work whose lease ran out and enqueue it again.
SWEEPERS: dict[str, Callable[[], object]] = {}


def route(name: str, *_: Any, **__: Any) -> dict[str, str] | None:
    """Celery's router: wherever a task is sent from in a worker, it goes to its own queue."""
    return {"queue": QUEUE_OF[name]} if name in QUEUE_OF else None


app.conf.task_routes = (route,)


def task(name: str, *, queue: str) -> Callable[[Work], Task[Any, Any]]:
    """Register a Celery task, e.g. `@task("worker.datasets.run_import", queue="default")`.

    Raises ValueError for a queue that no worker serves, a name outside `worker.`, or a name already taken.
    """
    if queue not in QUEUES:
        raise ValueError(f"Task {name!r} names the queue {queue!r}; there are {', '.join(QUEUES)}.")
    if not name.startswith("worker."):
        raise ValueError(f"Task {name!r}: a task's name begins with 'worker.'.")

    def register(work: Work) -> Task[Any, Any]:
        if name in QUEUE_OF:
            raise ValueError(f"Two tasks are named {name!r}.")
        QUEUE_OF[name] = queue
        registered: Task[Any, Any] = app.task(name=name)(work)
        return registered

    return register


def sweeper(name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a function that `worker.sweep` calls every few seconds, e.g. `@sweeper("evaluations.leases")`.

    It must be short, safe to repeat, and find its work in the database alone.
    """

    def register(work: Callable[[], object]) -> Callable[[], object]:
        if name in SWEEPERS:
            raise ValueError(f"Two sweepers are named {name!r}.")
        SWEEPERS[name] = work
        return work

    return register
