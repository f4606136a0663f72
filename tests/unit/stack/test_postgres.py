from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import psycopg
import pytest

from llmops_web.stack.accounts import anyone_may_read
from llmops_web.stack.postgres import EmbeddedPostgres, clear_stale_locks
from llmops_web.stack.processes import start_ticks
from llmops_web.stack.programs import Program
from llmops_web.stack.supervisor_config import supervisor_config


def test_a_lock_that_names_another_program_does_not_stop_the_database(tmp_path):
    """After a container restarts, the old number often belongs to something else."""
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n/somewhere\n")
    (tmp_path / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    clear_stale_locks(tmp_path, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_below_a_closed_one_cannot_be_read_by_another_account(tmp_path):
    closed = tmp_path / "closed"
    (closed / "open").mkdir(parents=True)
    closed.chmod(0o700)
    assert not anyone_may_read(closed / "open")


@pytest.mark.parametrize("name", ["web", "worker-llm"])
def test_every_program_is_kept_up_and_logged(name):
    text = supervisor_config([Program(name, ["/bin/true"], stage=1)], password="secret", as_root=False)
    assert f"[program:{name}]" in text
    assert "autorestart=true" in text
    assert f"{name}.log" in text
    assert "user=root" not in text


def test_what_a_killed_server_left_at_work_is_gone_before_the_next_one_starts():
    """A backend that is busy does not notice that its server died; a second server must not join it."""
    folder = Path(tempfile.mkdtemp(prefix="llmops-tests-", dir="/tmp"))  # a socket's path must be short
    folder.chmod(0o711)
    backend = 0
    try:
        server = EmbeddedPostgres.throwaway(folder)
        with server.running(log=folder / "postgres.log"):
            connection = psycopg.connect(server.url("postgres"))
            backend = connection.info.backend_pid
            connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1e11::bigint)")
            postmaster = int((server.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(postmaster, signal.SIGKILL)
            assert start_ticks(backend) is not None
            clear_stale_locks(server.cluster, server.sockets)
            assert start_ticks(backend) is None
            connection.close()
        with server.running(log=folder / "postgres.log"):
            assert server.answers()
    finally:
        if backend and start_ticks(backend) is not None:
            os.kill(backend, signal.SIGKILL)
        shutil.rmtree(folder)


def test_waiting_for_the_database_leaves_no_error_in_its_log():
    folder = Path(tempfile.mkdtemp(prefix="llmops-tests-", dir="/tmp"))  # a socket's path must be short
    folder.chmod(0o711)
    log = folder / "postgres.log"
    try:
        server = EmbeddedPostgres.throwaway(folder)
        assert not server.accepts_connections
        for _ in range(3):
            with server.running(log=log):
                assert server.accepts_connections
                assert server.answers()
        assert not server.answers()
        assert "ready to accept connections" in log.read_text()
        assert "starting up" not in log.read_text()
    finally:
        shutil.rmtree(folder)
