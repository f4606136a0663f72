"""What is known of how versions did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import QuerySet

from apps.core.errors import NotFound
from apps.core.models import Project
from apps.training.models import ModelMeasurement, ModelVersion

Status = ModelMeasurement.Status


@dataclass(frozen=True, slots=True)
class Measured:
    """A version's measurements, newest first; `waiting` while one is under way."""

    version: ModelVersion
    measurements: list[ModelMeasurement] = field(default_factory=list)

    @property
    def latest(self) -> ModelMeasurement | None:
        """The newest that ended with figures, else the newest; None for a version that was never measured."""
        done = (each for each in self.measurements if each.status == Status.COMPLETED)
        return next(done, None) or next(iter(self.measurements), None)

    @property
    def waiting(self) -> bool:
        return any(each.status in (Status.PENDING, Status.RUNNING) for each in self.measurements)


def measured_of(version: ModelVersion) -> Measured:
    """For `training/_measurements.html`, as `measured`; one query."""
    return Measured(version, list(measurement_list(version=version)[:20]))


def measured_of_list(versions: Iterable[ModelVersion]) -> dict[UUID, Measured]:
    """The same of each version of a list, for `training/_verdict.html`; one query."""
    by_id = {version.pk: version for version in versions}
    found: dict[UUID, list[ModelMeasurement]] = {pk: [] for pk in by_id}
    rows = ModelMeasurement.objects.filter(version__in=by_id).order_by("-id")
    for row in rows.only("version", "status", "verdict", "figures"):
        found[row.version_id].append(row)
    return {pk: Measured(version, found[pk]) for pk, version in by_id.items()}


def measurement_list(*, version: ModelVersion) -> QuerySet[ModelMeasurement]:
    """Newest first, with its runs and comparison."""
    return version.measurements.select_related("comparison", "run", "base_run").order_by("-id")


def measurement_get(*, project: Project, id: UUID) -> ModelMeasurement:
    found = (
        ModelMeasurement.objects.filter(version__project=project, pk=id)
        .select_related("version", "comparison", "run", "base_run")
        .first()
    )
    if found is None:
        raise NotFound("There is no such measurement in this project.")
    return found
