"""A worker process says every few seconds that it lives and what it does; now and then it sweeps too."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from typing import Any

from celery import signals
from django.db import close_old_connections, connection
from django.utils import timezone

from apps.core.models import WorkerHeartbeat
from worker.sweeping import run_sweepers

log = logging.getLogger(__name__)

BEAT_EVERY_S = 5.0
SWEEP_BETWEEN_S = (10.0, 20.0)
#: A consumer whose event loop has not turned for so long hangs; the heartbeat stops, so that it is noticed.
STUCK_AFTER_S = 60.0


class Heart:
    """Two threads of one worker process: one beats, one sweeps. A slow sweep never delays a beat."""

    def __init__(self, *, name: str, queues: list[str], pool_blocks_loop: bool) -> None:
        self.name = name
        self.queues = queues
        self.running: dict[str, str] = {}
        self._pool_blocks_loop = pool_blocks_loop
        self._last_turn = time.monotonic()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat_forever, name="heartbeat", daemon=True),
            threading.Thread(target=self._sweep_forever, name="sweep", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._threads[0].join(timeout=1)

    def loop_turned(self) -> None:
        self._last_turn = time.monotonic()

    @property
    def stuck(self) -> bool:
        """A solo pool runs tasks in the consumer's loop, which then rightly stands still."""
        if self._pool_blocks_loop and self.running:
            return False
        return time.monotonic() - self._last_turn > STUCK_AFTER_S

    def beat(self) -> None:
        now = timezone.now()
        row = WorkerHeartbeat(
            name=self.name,
            queues=self.queues,
            pid=os.getpid(),
            address=os.uname().nodename[:254],
            current_task=", ".join(sorted(set(self.running.values())))[:200],
            started_at=now,
            seen_at=now,
        )
        fields = ["queues", "pid", "address", "current_task", "seen_at"]
        WorkerHeartbeat.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["name"], update_fields=fields
        )

    def _beat_forever(self) -> None:
        told = False
        while True:
            try:
                if not self.stuck:
                    close_old_connections()
                    self.beat()
                    told = False
            except Exception as error:
                if not told:  # once per outage, not every five seconds
                    log.warning("Cannot write the heartbeat: %s", error)
                    told = True
                connection.close()
            if self._stop.wait(BEAT_EVERY_S):
                break
        self._forget()

    def _forget(self) -> None:
        try:
            WorkerHeartbeat.objects.filter(name=self.name, pid=os.getpid()).delete()
        except Exception as error:
            log.info("Could not take the heartbeat back: %s", error)
        finally:
            connection.close()

    def _sweep_forever(self) -> None:
        while not self._stop.wait(random.uniform(*SWEEP_BETWEEN_S)):
            try:
                close_old_connections()
                run_sweepers()
            except Exception as error:
                log.warning("Could not sweep: %s", error)
            finally:
                connection.close()


_heart: Heart | None = None


@signals.worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    global _heart
    worker = sender.controller
    _heart = Heart(
        name=worker.hostname,
        queues=sorted(queue.name for queue in sender.task_consumer.queues),
        pool_blocks_loop=bool(getattr(worker.pool, "is_green", False))
        or "solo" in type(worker.pool).__module__,
    )
    sender.timer.call_repeatedly(1.0, _heart.loop_turned)
    _heart.start()


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    if _heart:
        threading.Thread(target=_heart.stop, daemon=True).start()  # called inside a signal handler


@signals.task_prerun.connect
def _began(task_id: str, task: Any, **_: Any) -> None:
    if _heart:
        _heart.running[task_id] = task.name


@signals.task_postrun.connect
def _ended(task_id: str, **_: Any) -> None:
    if _heart:
        _heart.running.pop(task_id, None)
