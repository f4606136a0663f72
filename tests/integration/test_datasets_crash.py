"""A worker process that is killed in the middle of an import, for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project_settings
from django.db import connection
from django.utils import timezone

from apps.datasets import services
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import DatasetImport, StagedExample
from apps.datasets.selectors import examples_of, version_get
from apps.datasets.services import imports as imports_module
from llmops_web.stack.paths import StackPaths
from tests.factories.core import make_project
from tests.factories.datasets import import_rows, make_dataset

ROWS = 30_000
IMPORT = """
import django
django.setup()
from apps.datasets.services import import_run
import_run(import_id={id!r})
"""


def worker_environment(data_folder: Path) -> dict[str, str]:
    """The environment of a process that uses the test's database and files."""
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
    if database["PORT"]:
        url += f"&port={database['PORT']}"
    secrets = {"LLMOPS_DATA_DIR": str(data_folder), "LLMOPS_SECRET_KEY": project_settings.SECRET_KEY}
    return {**os.environ, **secrets, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "llmops_web.settings"}


@pytest.mark.django_db(transaction=True)
def test_an_import_whose_worker_is_killed_ends_whole(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = StackPaths(tmp_path).files
    dataset = make_dataset(make_project())
    sent: list[str] = []
    monkeypatch.setattr(imports_module, "LARGEST_IN_REQUEST", 0)
    monkeypatch.setattr(imports_module, "enqueue", lambda name, **options: sent.append(options["import_id"]))
    made = [{"id": f"k{n}", "q": f"question {n}", "a": str(n)} for n in range(ROWS)]
    job = import_rows(dataset, made, mapping=Mapping(["q"], "a", key="id"))

    worker = subprocess.Popen(
        [sys.executable, "-c", IMPORT.format(id=str(job.pk))], env=worker_environment(tmp_path)
    )
    deadline = time.monotonic() + 60
    while not DatasetImport.objects.get(pk=job.pk).rows_staged:
        assert worker.poll() is None, "the worker ended before it staged anything"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    worker.send_signal(signal.SIGKILL)
    worker.wait(10)

    job.refresh_from_db()
    assert job.status == "running"
    assert 0 < job.rows_staged < ROWS
    assert not dataset.versions.exists()

    DatasetImport.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    services.imports_sweep()
    assert sent == [str(job.pk), str(job.pk)]
    services.import_run(import_id=job.pk)
    version = version_get(dataset=dataset)
    assert version.example_count == ROWS
    assert examples_of(version).values("key").distinct().count() == ROWS
    assert not StagedExample.objects.exists()
