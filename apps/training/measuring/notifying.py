"""Telling whoever asked for a measurement, or started the job that did, how it ended."""

from __future__ import annotations

from django.urls import reverse

from apps.core.authors import author_of
from apps.core.models import User
from apps.core.notifications import notify
from apps.training.models import ModelMeasurement

_WORDS = {
    "passed": ("is measured and passed", "good"),
    "failed": ("is measured and failed", "bad"),
    "undecided": ("is measured; the policy is not decided", "warn"),
    "no_policy": ("is measured", "neutral"),
}


def measurement_tell(measurement: ModelMeasurement) -> None:
    """Once: a second call changes nothing."""
    version = measurement.version
    person = _asker(measurement)
    if person is None:
        return
    words, tone = "could not be measured", "bad"
    slug, text = version.project.slug, measurement.status_reason
    url = reverse("training:model-detail", args=[slug, version.name, version.number])
    if measurement.status == ModelMeasurement.Status.COMPLETED:
        words, tone = _WORDS[measurement.verdict]
        text = measurement.figures.get("headline", "")
    if measurement.comparison is not None:
        url = reverse("evaluations:comparison-detail", args=[slug, measurement.comparison.number])
    notify(
        user=person,
        project=version.project,
        key=f"measurement:{measurement.pk}",
        title=f"{version.full_name} {words}",
        text=text,
        url=url,
        tone=tone,
    )


def _asker(measurement: ModelMeasurement) -> User | None:
    project = measurement.version.project
    person = author_of(measurement, project)
    job = None if person else measurement.version.jobs.order_by("id").first()
    return author_of(job, project) if job else person
