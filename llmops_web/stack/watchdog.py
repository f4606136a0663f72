"""Looks after the running programs: starts what supervisor gave up on, restarts a worker that fell silent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import DatabaseError, connection
from django.utils import timezone

from llmops_web.stack.console import say
from llmops_web.stack.control import ProgramState
from llmops_web.stack.lifecycle import RunningStack

SILENT_AFTER_S = 60
RETRY_AFTER_S = 30.0
LOOK_EVERY_S = 5.0


@dataclass
class Watchdog:
    stack: RunningStack
    _given_up: dict[str, float] = field(default_factory=dict)
    _next_look: float = 0.0

    def look(self) -> None:
        """Cheap to call often: looks every five seconds."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_EVERY_S
        states = self.stack.control.states()
        self._retry_fatal(states)
        self._restart_silent(states)

    def _retry_fatal(self, states: dict[str, ProgramState]) -> None:
        for name, state in states.items():
            if state.state != "FATAL":
                self._given_up.pop(name, None)
            elif name not in self._given_up:
                say(
                    "stack",
                    f"{name} does not stay up; trying again in {RETRY_AFTER_S:.0f} s. Its log: {name}.log",
                )
                self._given_up[name] = time.monotonic() + RETRY_AFTER_S
            elif time.monotonic() > self._given_up[name]:
                self._given_up[name] = time.monotonic() + RETRY_AFTER_S
                self.stack.revive(name)

    def _restart_silent(self, states: dict[str, ProgramState]) -> None:
        workers = {
            state.pid: name
            for name, state in states.items()
            if name.startswith("worker-") and state.state == "RUNNING" and state.running_s > SILENT_AFTER_S
        }
        if not workers:
            return
        for pid in silent_pids(list(workers)):
            name = workers[pid]
            say("stack", f"{name} has said nothing for {SILENT_AFTER_S} s; starting it anew.")
            self.stack.control.kill(name)  # it ends by itself, as supervisor sees it, and is started again


def silent_pids(pids: list[int]) -> list[int]:
    """Which of these worker processes wrote no heartbeat lately; none when the database cannot be asked."""
    from apps.core.models import WorkerHeartbeat

    since = timezone.now() - timedelta(seconds=SILENT_AFTER_S)
    try:
        heard = set(
            WorkerHeartbeat.objects.filter(pid__in=pids, seen_at__gte=since).values_list("pid", flat=True)
        )
    except DatabaseError:
        return []
    finally:
        connection.close()
    return [pid for pid in pids if pid not in heard]
