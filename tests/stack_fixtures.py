"""The servers that tests use: a PostgreSQL and a Valkey of this run's own, gone when it ends.

Loaded by `-p tests.stack_fixtures` (pyproject.toml) before Django reads its settings; run the tests as
`python -m pytest`. With DATABASE_URL or BROKER_URL set, those servers are used instead. Under xdist the
controller starts the servers; each worker has a database, a broker number and a data folder of its own.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from llmops_web.stack.postgres import EmbeddedPostgres
from llmops_web.stack.valkey import EmbeddedValkey

pytest_plugins = ["tests.live_stack"]

_servers = ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    """A wrapper runs before pytest-django's own implementation, which loads the settings."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    if number:
        _share_servers(int(number))
    else:
        _start_servers()
    yield


def pytest_unconfigure() -> None:
    _servers.close()


def _start_servers() -> None:
    # A run that is asked to end tidies up as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Not $TMPDIR: a unix socket's path may hold 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="llmops-tests-", dir="/tmp"))
    folder.chmod(0o711)
    _servers.callback(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(_servers.close)
    data = folder / "data"
    os.environ["LLMOPS_DATA_DIR"] = str(data)
    os.environ["LLMOPS_TESTS_FOLDER"] = str(folder)
    data.mkdir(mode=0o700)
    if not os.environ.get("DATABASE_URL"):
        postgres = _servers.enter_context(
            EmbeddedPostgres.throwaway(folder).running(log=folder / "postgres.log")
        )
        postgres.create_database("llmops")
        os.environ["DATABASE_URL"] = postgres.url("llmops")
        os.environ["LLMOPS_TESTS_DATABASE"] = str(folder)  # see tests/migrated_database.py
    if not os.environ.get("BROKER_URL"):
        valkey = _servers.enter_context(EmbeddedValkey.throwaway(folder).running(log=folder / "valkey.log"))
        os.environ["BROKER_URL"] = os.environ["LLMOPS_TESTS_BROKER"] = valkey.url(0)


def _share_servers(number: int) -> None:
    folder = Path(os.environ["LLMOPS_TESTS_FOLDER"])
    data = folder / f"data-{number}"
    data.mkdir(mode=0o700, exist_ok=True)
    # The embedded model is converted once for all, not by each.
    models = Path(os.environ.get("LLMOPS_TESTS_SHARED", folder)) / "models"
    models.mkdir(mode=0o700, exist_ok=True)
    if not (data / "models").exists():
        (data / "models").symlink_to(models)
    os.environ["LLMOPS_DATA_DIR"] = str(data)
    ours = os.environ.get("LLMOPS_TESTS_BROKER")
    if ours:
        os.environ["BROKER_URL"] = ours.replace("virtual_host=0", f"virtual_host={number + 1}")
