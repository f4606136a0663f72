"""`python -m worker QUEUE[,QUEUE…]` serves queues in this process; `python -m worker beat` keeps the clock.

Pool and concurrency come from worker/queues.py, so that every way to start a worker agrees.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings

from celery.exceptions import SecurityWarning
from django.conf import settings

from llmops_web.celery import app
from worker.beat import SCHEDULE
from worker.queues import QUEUES


def node_name(label: str) -> str:
    """One name for each worker process of a machine and data folder; heartbeats and logs carry it."""
    number = os.environ.get("LLMOPS_WORKER_NUMBER", "1")
    several = "" if number == "1" else f"-{number}"
    return f"{label}{several}@{os.uname().nodename}-{settings.STACK.token[:6]}"


def worker_arguments(names: list[str]) -> list[str]:
    """Celery's command line for a worker of these queues.

    Raises SystemExit for an unknown queue, or queues whose pools differ.
    """
    unknown = [name for name in names if name not in QUEUES]
    if unknown or not names:
        raise SystemExit(
            f"There is no queue {', '.join(unknown) or '(none named)'}; there are {', '.join(QUEUES)}."
        )
    queues = [QUEUES[name] for name in names]
    if len({queue.pool for queue in queues}) > 1:
        raise SystemExit(f"{', '.join(names)} need different pools: start a worker for each.")
    concurrency = str(sum(queue.concurrency for queue in queues))
    return [
        "worker",
        f"--queues={','.join(names)}",
        f"--hostname={node_name('-'.join(names))}",
        f"--pool={queues[0].pool}",
        f"--concurrency={concurrency}",
        f"--loglevel={os.environ.get('LLMOPS_LOG_LEVEL', 'INFO')}",
        "--without-gossip",
        "--without-mingle",
    ]


def main(argument: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")
    # Celery warns root off pickled messages; ours are JSON.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    if argument == "beat":
        app.conf.beat_schedule = SCHEDULE
        app.conf.imports = ()  # it sends tasks by name, and needs none of their code
        app.start(["--quiet", "beat", "--pidfile=", f"--schedule={settings.CELERY_BEAT_SCHEDULE_FILENAME}"])
    else:
        names = [name for name in argument.split(",") if name]
        import_heartbeat()
        import_adapters(names)
        for chatter in ("celery.worker.strategy", "celery.app.trace"):  # two lines a task, thousands a run
            logging.getLogger(chatter).setLevel(logging.WARNING)
        app.start(["--quiet", *worker_arguments(names)])


def import_heartbeat() -> None:
    """It needs the models, so Django is set up first; its signals are connected before the worker starts."""
    import django

    django.setup()
    from worker import heartbeat  # noqa: F401


def import_adapters(names: list[str]) -> None:
    """What the first call would have to wait for: importing the SDK takes a second."""
    if {"llm", "interactive"} & set(names):
        from apps.providers.adapters import openai  # noqa: F401
    if "interactive" in names:
        import genai_prices  # noqa: F401
        import redis.asyncio  # noqa: F401

        # Streams of all calls share one loop, which must not stand behind each busy thread for 5 ms.
        sys.setswitchinterval(0.001)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("Say which queues: python -m worker default,llm (or: beat).")
    main(sys.argv[1])
