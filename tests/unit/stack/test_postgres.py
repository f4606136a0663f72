from __future__ import annotations

import os

import pytest

from llmops_web.stack.accounts import anyone_may_read
from llmops_web.stack.postgres import clear_stale_locks
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
