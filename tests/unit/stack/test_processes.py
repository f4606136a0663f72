from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from llmops_web.stack import processes


@pytest.fixture
def sleeper():
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=-1
    )
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_an_earlier_stack_left_running_is_ended(tmp_path, sleeper):
    processes.write_record(tmp_path, processes.record_of("web", sleeper.pid))
    assert processes.end_leftovers(tmp_path, grace_s=5) == ["web"]
    assert sleeper.wait(5) == -signal.SIGTERM
    assert not list(tmp_path.iterdir())


def test_a_process_that_ignores_the_request_is_killed(tmp_path):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as stubborn:
        stubborn.stdout.readline()
        processes.write_record(tmp_path, processes.record_of("web", stubborn.pid))
        processes.end_leftovers(tmp_path, grace_s=0.2)
        assert stubborn.wait(5) == -signal.SIGKILL


def test_a_number_used_again_by_another_program_is_left_alone(tmp_path, sleeper):
    record = processes.record_of("web", sleeper.pid)
    processes.write_record(tmp_path, replace(record, started=record.started - 1))
    assert processes.end_leftovers(tmp_path, grace_s=0.2) == []
    assert sleeper.poll() is None


def test_a_record_from_before_the_machine_restarted_is_left_alone(tmp_path, sleeper):
    processes.write_record(tmp_path, replace(processes.record_of("web", sleeper.pid), boot="another"))
    assert processes.end_leftovers(tmp_path, grace_s=0.2) == []
    assert sleeper.poll() is None


def test_a_broken_record_does_not_stop_the_start(tmp_path):
    (tmp_path / "web.pid.json").write_text("{")
    assert processes.end_leftovers(tmp_path) == []
