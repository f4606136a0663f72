"""All tables made once a run: each process's test database is a copy of one, so that only the first migrates.

Loaded by tests/conftest.py. With DATABASE_URL set, databases are made as Django makes them. Of two runs that
tests/run.py started together one migrates, and the other loads what came of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from filelock import FileLock

from llmops_web.stack.dumping import dump_database, load_database

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_keepdb: bool
) -> None:
    folder = os.environ.get("LLMOPS_TESTS_DATABASE")
    if folder and not django_db_keepdb:
        _migrate_once(Path(folder))
        settings.DATABASES["default"].setdefault("TEST", {})["TEMPLATE"] = settings.DATABASES["default"][
            "NAME"
        ]


def _migrate_once(folder: Path) -> None:
    done = folder / "migrated"
    with FileLock(folder / "migrated.lock"):
        if not done.exists():
            shared = os.environ.get("LLMOPS_TESTS_SHARED")
            if shared:
                _migrate_or_load(Path(shared))
            else:
                _migrate()
            done.touch()


def _migrate_or_load(shared: Path) -> None:
    tables = shared / "tables.dump"
    with FileLock(shared / "tables.lock"):
        if tables.exists():
            load_database(settings.DATABASES["default"], tables)
        else:
            _migrate()
            dump_database(settings.DATABASES["default"], tables)


def _migrate() -> None:
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=ROOT, check=True)
