"""The real trainer in the hands of real workers: what kill -9 costs, and that it costs no figure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from apps.training.models import FineTuningJob, MetricPoint
from apps.training.running import services, working
from llmops_web.stack.waiting import wait_until
from tests.factories.core import SYSTEM
from tests.factories.tiny_model import tiny_model_folder
from tests.factories.training import make_job, make_training_version
from tests.live_stack import LiveWorkers, _empty_broker, _environment
from tests.training_processes import trainers_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.xdist_group("trainers"),
]
Status = FineTuningJob.Status
SETTINGS = {
    "learning_rate": 1e-3,
    "max_steps": 12,
    "batch_size": 2,
    "gradient_accumulation": 1,
    "max_length": 128,
    "lora_r": 4,
    "lora_alpha": 8,
    "lora_dropout": 0.1,
    "log_every": 1,
    "save_every": 4,
    "keep_checkpoints": 2,
}
#: What a step of a training leaves that time has no part in.
FIGURES = ("loss", "eval_loss", "learning_rate", "grad_norm")


@pytest.fixture
def one_worker(transactional_db, process_factory, tmp_path, monkeypatch) -> Iterator[LiveWorkers]:
    """A worker of the queue that trains, once it is started."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    workers = LiveWorkers(process_factory, _environment(), tmp_path)
    try:
        yield workers
    finally:
        workers.stop()
        _empty_broker()


def test_kill_9_costs_no_figure_and_the_same_job_twice_is_the_same_curve(one_worker, project, settings):
    tiny_model_folder(Path(settings.BASE_MODELS_DIR) / "tiny-running")
    version = make_training_version(project, "sft", train=12, validation=3)
    unbroken, broken = (started_job(project, version, name) for name in ("Unbroken", "Broken"))
    assert working.train_next(worker="gpu@here") == unbroken
    unbroken.refresh_from_db()
    assert unbroken.status == Status.COMPLETED, unbroken.status_reason

    one_worker.start("gpu")  # takes the message up that waits for it
    wait_until(
        lambda: broken.checkpoints.filter(step=4).exists(),
        seconds=240,
        what="The first checkpoint",
        log=one_worker.logs / "gpu.log",
    )
    trainers = trainers_of(broken)
    one_worker.kill("gpu")
    broken.refresh_from_db()
    assert broken.status == Status.RUNNING
    assert len(trainers) == 1
    wait_until(lambda: not trainers_of(broken), seconds=10, what="The trainer's end after its worker's")

    assert working.train_next(worker="gpu@here") is None  # the lease still stands
    FineTuningJob.objects.filter(pk=broken.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    working.train_next(worker="gpu@here")
    broken.refresh_from_db()
    assert broken.status == Status.COMPLETED, broken.status_reason
    assert broken.attempt == 2
    assert set(broken.points.values_list("attempt", flat=True)) == {1, 2}

    assert len(curve(unbroken)) == 12
    assert curve(broken) == curve(unbroken)
    assert broken.version.fingerprint == unbroken.version.fingerprint
    assert broken.version.base == unbroken.version.base == broken.base_version
    assert broken.version.lineage
    assert broken.data_hash == unbroken.data_hash
    assert unbroken.environment["packages"]["trl"]
    assert set(unbroken.samples.values_list("step", flat=True)) == {0, 4, 8, 12}
    assert [row.step for row in unbroken.checkpoints.filter(pruned_at=None).order_by("step")][-2:] == [8, 12]


def started_job(project, version, name):
    job = make_job(
        project,
        name=name,
        dataset_version=version,
        settings=dict(SETTINGS),
        base={"kind": "folder", "name": "tiny-running"},
        sample_prompts=[[{"role": "user", "content": "What is 2 + 2?"}]],
    )
    return services.job_start(job=job, by=SYSTEM)


def curve(job):
    points = MetricPoint.objects.filter(job=job, trial=0).order_by("step")
    return {
        point.step: {name: point.values[name] for name in FIGURES if name in point.values} for point in points
    }
