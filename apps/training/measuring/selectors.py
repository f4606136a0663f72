"""What is known of how versions did."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from uuid import UUID

from django.db.models import QuerySet

from apps.core.errors import NotFound
from apps.evaluations.models import EvalRun
from apps.evaluations.selectors import RunCounts, counts_of
from apps.training.measuring.findings import Policy
from apps.training.measuring.policy_services import policy_of
from apps.training.models import ModelMeasurement, ModelVersion

Status = ModelMeasurement.Status
#: On a version's page; REST has them all.
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """A version's measurements, newest first, the policy of today, and how far each run is that goes on."""

    version: ModelVersion
    measurements: list[ModelMeasurement] = field(default_factory=list)
    policy: Policy | None = None
    going: list[tuple[EvalRun, RunCounts]] = field(default_factory=list)

    @property
    def latest(self) -> ModelMeasurement | None:
        """The newest that ended with figures, those against its base first, else the newest; None for a
        version that was never measured."""
        done = [each for each in self.measurements if each.status == Status.COMPLETED]
        of_base = (each for each in done if each.of_base)
        return next(of_base, None) or next(iter(done or self.measurements), None)

    @property
    def under_way(self) -> ModelMeasurement | None:
        """The newest that has not ended."""
        return next((each for each in self.measurements if each.status in _WAITING), None)

    @property
    def waiting(self) -> bool:
        return self.under_way is not None

    @property
    def newest_failed(self) -> ModelMeasurement | None:
        """The newest of all, where it failed: what there is from before stays valid beside it."""
        newest = next(iter(self.measurements), None)
        return newest if newest is not None and newest.status == Status.FAILED else None

    @property
    def state(self) -> str:
        """In one word, as `status_badge` knows it."""
        latest = self.latest
        if latest is None:
            return "not measured"
        if latest.status == Status.COMPLETED:
            return latest.verdict if latest.verdict != "no_policy" else "measured"
        return "measuring" if latest.status in _WAITING else "not measured"

    @property
    def policy_moved(self) -> bool:
        """Whether the latest was judged by another policy than today's."""
        latest = self.latest
        if latest is None or latest.status != Status.COMPLETED or not latest.of_base:
            return False
        return bool(latest.judged.get("policy") != (asdict(self.policy) if self.policy else None))


_WAITING = (Status.PENDING, Status.RUNNING)


def measured_of(version: ModelVersion) -> Measured:
    """For `training/_measurements.html`, as `measured`; the number of queries is fixed."""
    measured = Measured(
        version, list(measurement_list(version=version)[:MOST_SHOWN]), policy_of(version.project)
    )
    if measured.under_way is not None:
        runs = [run for run in (measured.under_way.base_run, measured.under_way.run) if run is not None]
        counts = counts_of(runs)
        measured.going.extend((run, counts[run.pk]) for run in runs)
    return measured


def measured_of_list(versions: Iterable[ModelVersion]) -> dict[UUID, Measured]:
    """The same of each version of a list, for `training/_verdict.html`; one query, and no policy."""
    by_id = {version.pk: version for version in versions}
    found: dict[UUID, list[ModelMeasurement]] = {pk: [] for pk in by_id}
    rows = ModelMeasurement.objects.filter(version__in=by_id).order_by("-id")
    for row in rows.only("version", "status", "verdict", "figures", "plan"):
        row.version = by_id[row.version_id]
        found[row.version_id].append(row)
    return {pk: Measured(version, found[pk]) for pk, version in by_id.items()}


def measurement_list(*, version: ModelVersion) -> QuerySet[ModelMeasurement]:
    """Newest first, with its runs and comparison."""
    related = ("comparison", "run__dataset_version__dataset", "base_run__dataset_version__dataset")
    return version.measurements.select_related(*related).order_by("-id")


def measurement_get(*, version: ModelVersion, id: UUID) -> ModelMeasurement:
    found = measurement_list(version=version).filter(pk=id).first()
    if found is None:
        raise NotFound(f"{version.full_name} has no such measurement.")
    return found
