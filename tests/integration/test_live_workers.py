"""Real worker processes on the test database: heartbeats, readiness, and what a killed worker leaves."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core.models import WorkerHeartbeat
from llmops_web.stack.readiness import what_does_not_answer
from llmops_web.stack.waiting import wait_until
from llmops_web.stack.watchdog import silent_pids

pytestmark = pytest.mark.slow


def test_every_queue_has_a_heartbeat_and_a_killed_worker_is_missed(live_workers):
    live_workers.start("gpu")
    assert what_does_not_answer() == []
    pid = live_workers.processes["local"].pid
    live_workers.kill("local")
    killed = timezone.now()
    assert what_does_not_answer() == []
    wait_until(
        lambda: what_does_not_answer(since=killed) == ["worker:local"],
        seconds=30,
        what="The others' next word",
    )
    WorkerHeartbeat.objects.filter(pid=pid).update(seen_at=timezone.now() - timedelta(minutes=5))
    assert what_does_not_answer() == ["worker:local"]
    assert silent_pids([pid]) == [pid]
    live_workers.start("local")
    assert what_does_not_answer() == []


def test_a_worker_that_ends_in_order_takes_its_heartbeat_back(live_workers):
    live_workers.start("gpu")
    process = live_workers.processes.pop("local")
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(15) == 0
    wait_until(lambda: what_does_not_answer() == ["worker:local"], seconds=5, what="The readiness")


def test_the_web_server_says_that_all_is_ready(live_stack):
    live_stack.start("gpu")
    with urllib.request.urlopen(f"{live_stack.url}/readyz", timeout=10) as answer:
        assert json.load(answer) == {"status": "ready", "missing": []}
