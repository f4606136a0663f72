"""Jobs that a worker supervises while a stand-in, which speaks as the trainer does, trains for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.training.models import FineTuningJob, MetricPoint
from apps.training.running import claiming, finishing, services, working
from tests.factories.core import SYSTEM, make_project
from tests.factories.training import make_job, make_model_version, make_training_version

Status = FineTuningJob.Status
RATE = 1e-4


@pytest.fixture
def stand_ins(monkeypatch, tmp_path, settings):
    """Registering and bases have tests of their own; here they are rows."""
    settings.MEDIA_ROOT = tmp_path / "files"
    monkeypatch.setattr("apps.training.running.child.TRAINER", "tests.fake_trainer")
    monkeypatch.setattr("apps.training.running.supervising.LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(claiming, "RENEW_EVERY_S", 0.15)
    monkeypatch.setattr(working, "base_version_of", lambda *, project, base, by: base_of(project))
    monkeypatch.setattr(working, "weights_folder", lambda version: tmp_path)
    monkeypatch.setattr(finishing, "version_register", registered)
    sent = []
    monkeypatch.setattr("apps.core.dispatch._send", lambda name, *_: sent.append(name))
    return sent


def base_of(project):
    return make_model_version(project, "base", kind="base", source="folder")


def registered(*, job, folder, metrics, environment, by, step=None, held=None):
    """As the registry does: the version, and the job's pointer to it."""
    assert (Path(folder) / "adapter_model.safetensors").exists()
    version = make_model_version(job.project, "made", base=job.base_version, training_metrics=metrics)
    FineTuningJob.objects.filter(pk=job.pk).update(version=version)
    return version


def started(project=None, *, steps=6, fake=None, version=None, **fields):
    project = project or make_project()
    settings = {"learning_rate": RATE, "max_steps": steps, "keep_checkpoints": 2, "fake": fake or {}}
    job = make_job(
        project,
        dataset_version=version or make_training_version(project, train=4, validation=0),
        settings=settings,
        sample_prompts=[],
        **fields,
    )
    return services.job_start(job=job, by=SYSTEM)


def curve(job, trial=0):
    points = MetricPoint.objects.filter(job=job, trial=trial).order_by("step")
    return {point.step: point.values["loss"] for point in points}


def trained(**options):
    job = started(**options)
    working.train_next(worker="gpu@one")
    job.refresh_from_db()
    return job


def in_thread(worker):
    from django.db import connection

    try:
        working.train_next(worker=worker)
    finally:
        connection.close()
