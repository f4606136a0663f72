"""A command that cannot reach the stack says so in one line; a restore says how to start what it made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmops_web.command_line import address_without_password

ROOT = Path(__file__).resolve().parents[3]
KEY = ("create_api_key", "--project", "demo", "--role", "editor", "--name", "x")
USER = ("create_user", "--email", "new@example.com")


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = {"DATABASE_URL", "BROKER_URL", "LLMOPS_DATA_DIR", "DJANGO_SETTINGS_MODULE"}
    inherited = {key: value for key, value in os.environ.items() if key not in ours}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("arguments", [KEY, USER, ("demo",), ("rotate_keys", "--re-encrypt-only")])
def test_a_command_without_the_stack_says_so_in_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = command(*arguments, LLMOPS_DATA_DIR=str(tmp_path / "data"))
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("llmops-web: The database at postgresql://llmops@/llmops?host=/tmp/llmops-")
    assert said.stderr.count("\n") == 1
    assert "make up" in said.stderr
    assert f"LLMOPS_DATA_DIR to the folder that it was started with (here it is {tmp_path}" in said.stderr


def test_the_password_of_a_database_that_does_not_answer_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/mine?sslmode=disable"
    said = command(*KEY, LLMOPS_DATA_DIR=str(tmp_path / "data"), DATABASE_URL=url)
    assert said.returncode == 1
    assert "postgresql://me@127.0.0.1:1/mine?sslmode=disable does not answer" in said.stderr
    assert "DATABASE_URL" in said.stderr
    assert "secret" not in said.stderr
    assert said.stderr.count("\n") == 1


def test_a_traceback_is_shown_when_it_is_asked_for(tmp_path: Path) -> None:
    said = command(*KEY, "--traceback", LLMOPS_DATA_DIR=str(tmp_path / "data"))
    assert "Traceback" in said.stderr


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@valkey:6379/0", "redis://valkey:6379/0"),
        ("redis+socket:///tmp/v.sock?virtual_host=0", "redis+socket:///tmp/v.sock?virtual_host=0"),
        ("postgresql://u:p%40ss@[::1]:5432/n", "postgresql://u@[::1]:5432/n"),
        ("postgresql://u@/n?host=/tmp/pg&password=secret", "postgresql://u@/n?host=/tmp/pg"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert address_without_password(url) == shown
