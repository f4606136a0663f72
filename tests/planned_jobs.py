"""Drafts of fine-tuning jobs on a tiny base, and the check of their data as a worker makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.training.planning import checking, services
from tests.factories.core import SYSTEM
from tests.factories.tiny_model import tiny_model_folder

BASE = {"kind": "folder", "name": "tiny-plans"}


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory) -> Path:
    return tiny_model_folder(tmp_path_factory.mktemp("bases") / "tiny-plans")


@pytest.fixture
def base_folder(settings, tiny_base) -> Path:
    settings.BASE_MODELS_DIR = tiny_base.parent
    return tiny_base


def draft(project, version, **asked):
    return services.job_create(
        project=project, by=SYSTEM, name="Tone", base=BASE, dataset_version=version, **asked
    )


def checked(job):
    checking.check_run(job_id=job.pk)
    job.refresh_from_db()
    return job
