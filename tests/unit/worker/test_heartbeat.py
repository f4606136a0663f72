from __future__ import annotations

import os

import pytest

from apps.core.models import WorkerHeartbeat
from worker import heartbeat


@pytest.fixture
def heart():
    return heartbeat.Heart(name="llm@here", queues=["llm"], pool_blocks_loop=False)


@pytest.mark.django_db
def test_a_beat_says_who_lives_and_what_it_does(heart):
    heart.running = {"1": "worker.evaluations.drive_run", "2": "worker.evaluations.drive_run"}
    heart.beat()
    heart.beat()
    row = WorkerHeartbeat.objects.get()
    assert (row.name, row.queues, row.pid) == ("llm@here", ["llm"], os.getpid())
    assert row.current_task == "worker.evaluations.drive_run"


def test_a_loop_that_stands_still_stops_the_heartbeat(heart, monkeypatch):
    now = heartbeat.time.monotonic()
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now + heartbeat.STUCK_AFTER_S + 1)
    assert heart.stuck
    heart.loop_turned()
    assert not heart.stuck


def test_a_solo_worker_in_a_long_task_is_not_stuck(monkeypatch):
    heart = heartbeat.Heart(name="local@here", queues=["local"], pool_blocks_loop=True)
    heart.running = {"1": "worker.evaluations.drive_local_run"}
    now = heartbeat.time.monotonic()
    monkeypatch.setattr(heartbeat.time, "monotonic", lambda: now + 10_000)
    assert not heart.stuck
