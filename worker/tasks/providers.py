"""Testing connections: endpoints where a person watches, the embedded model where it is in memory."""

from __future__ import annotations

from uuid import UUID

from apps.providers.connection_tests import connection_test_run, connection_tests_sweep
from worker.registry import sweeper, task


@task("worker.providers.test_connection", queue="interactive")
def test_connection(test_id: str) -> None:
    connection_test_run(test_id=UUID(test_id))


@task("worker.providers.test_local_model", queue="local")
def test_local_model(test_id: str) -> None:
    connection_test_run(test_id=UUID(test_id))


sweeper("providers.connection_tests")(connection_tests_sweep)
