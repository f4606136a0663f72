from __future__ import annotations

import psycopg
import pytest
from django.db import connection

import worker.tasks.sweep  # noqa: F401  registers its task
from worker import registry, sweeping


@pytest.fixture
def sweepers(monkeypatch):
    known: dict[str, object] = {}
    monkeypatch.setattr(registry, "SWEEPERS", known)
    monkeypatch.setattr(sweeping, "SWEEPERS", known)
    return known


@pytest.mark.django_db
def test_a_sweep_that_fails_does_not_stop_the_others(sweepers):
    def broken():
        raise RuntimeError("lost the thread")

    calls = []
    sweepers |= {"a": broken, "b": lambda: calls.append("b")}
    assert sweeping.run_sweepers() == ["b"]
    assert calls == ["b"]


@pytest.mark.django_db
def test_one_process_sweeps_at_a_time(sweepers):
    sweepers["a"] = lambda: None
    parameters = connection.get_connection_params()
    parameters = {
        key: parameters[key] for key in ("dbname", "user", "host", "port", "password") if key in parameters
    }
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [sweeping.SWEEP_LOCK])
        assert sweeping.run_sweepers() == []
        other.execute("SELECT pg_advisory_unlock(%s)", [sweeping.SWEEP_LOCK])
    assert sweeping.run_sweepers() == ["a"]


def test_a_task_must_name_a_queue_that_has_a_worker():
    with pytest.raises(ValueError, match="there are default"):
        registry.task("worker.test.nothing", queue="nowhere")
    with pytest.raises(ValueError, match=r"begins with 'worker\.'"):
        registry.task("test.nothing", queue="default")
    with pytest.raises(ValueError, match="Two tasks"):
        registry.task("worker.sweep", queue="default")(lambda: None)
