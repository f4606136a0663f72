"""Every task names its queue, and that queue has a worker."""

from __future__ import annotations

import ast
from pathlib import Path

from django.conf import settings

import worker.tasks  # noqa: F401  registers them all
from llmops_web.celery import app
from worker.queues import QUEUES
from worker.registry import QUEUE_OF

ROOT = Path(__file__).resolve().parents[2]


def our_tasks():
    return {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_every_task_names_its_queue():
    assert our_tasks().keys() == QUEUE_OF.keys()
    routed = {name: app.amqp.router.route({}, name)["queue"].name for name in our_tasks()}
    assert routed == QUEUE_OF


def test_every_queue_in_use_has_a_worker():
    assert set(QUEUE_OF.values()) <= set(settings.QUEUES) == set(QUEUES)


def enqueued_by_name():
    """Each `enqueue("worker.…", queue="…")` in the rooms, as (file, task, queue)."""
    for path in sorted((ROOT / "apps").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "enqueue" and node.args):
                continue
            name = node.args[0]
            queue = next((word.value for word in node.keywords if word.arg == "queue"), None)
            if isinstance(name, ast.Constant):
                yield path.name, name.value, queue.value if isinstance(queue, ast.Constant) else None


def test_rooms_send_tasks_that_exist_to_the_queue_that_they_are_bound_to():
    wrong = [
        (file, name, queue)
        for file, name, queue in enqueued_by_name()
        if name not in QUEUE_OF or (queue is not None and queue != QUEUE_OF[name])
    ]
    assert not wrong
