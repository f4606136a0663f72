"""The demo's chapter of fine-tuning: what it asks for, and what it tells; training is the workers' part."""

from __future__ import annotations

import pytest

from apps.core.models import Project
from apps.providers.services import ProviderSettings, provider_create
from apps.training.measuring.services import measurement_create
from apps.training.models import FineTuningJob, ModelMeasurement
from apps.training.planning.checking import check_run
from llmops_web.demo import content
from llmops_web.demo import fine_tuning as chapter
from llmops_web.demo.running import DemoFailed, demo_project
from tests.factories.core import SYSTEM
from tests.factories.measuring import make_base, make_better, settled
from tests.factories.training import make_points

pytestmark = pytest.mark.django_db
Status = FineTuningJob.Status


@pytest.fixture
def planned(settings: object, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> FineTuningJob:
    """The job as the demo makes and starts it; nobody trains it."""
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    monkeypatch.setattr(chapter, "_follow_training", lambda job, say: check_run(job_id=job.pk))
    monkeypatch.setattr(chapter, "_measured", _nothing)
    with pytest.raises(DemoFailed):
        chapter.run_fine_tuning(lambda line: None)
    monkeypatch.undo()
    return FineTuningJob.objects.get()


def _nothing(job: FineTuningJob, say: object) -> ModelMeasurement:
    raise DemoFailed


def test_the_job_passes_its_checks_and_keeps_apart_what_it_is_measured_on(planned: FineTuningJob) -> None:
    assert planned.status == Status.PENDING, planned.status_reason
    assert planned.checks["counts"]["rows"]["train"] >= 300
    assert planned.checks["counts"]["truncated"] == 0
    assert not planned.checks["leaks"]
    assert not [problem for problem in planned.checks["problems"] if problem["weight"] == "blocks"]
    assert planned.evaluation["primary_metric"] == content.PRIMARY
    assert chapter.training_line(planned) == "English corrections: waiting"


def test_a_second_time_tells_what_came_of_it_and_trains_nothing(planned: FineTuningJob) -> None:
    project: Project = demo_project()
    fake = provider_create(project=project, by=SYSTEM, kind="fake", settings=ProviderSettings(name="Fake"))
    version = make_better(make_base(project, fake), fake)
    measured = settled(measurement_create(version=version, plan=planned.evaluation, by=SYSTEM))
    assert measured.status == "completed", measured.status_reason
    FineTuningJob.objects.filter(pk=planned.pk).update(
        status=Status.COMPLETED, version=version, trained_s=330, progress={"step": 54, "steps": 54}
    )
    make_points(planned, 54)
    lines: list[str] = []
    made = chapter.run_fine_tuning(lines.append)
    assert FineTuningJob.objects.count() == 1
    assert made.measurement == measured
    told = "\n".join(lines)
    assert "English corrections: step 54 of 54, loss 0." in told
    assert "72 sentences, fake/echo against fake/upper" in told
    assert "Exact match" in told
    assert lines[-1].startswith(f"Trained in 5.5 minutes: {version}.")

    FineTuningJob.objects.update(status=Status.FAILED, status_reason="The device is out of memory.")
    made.job.refresh_from_db()
    with pytest.raises(DemoFailed, match="out of memory"):
        chapter._follow_training(made.job, lines.append)
