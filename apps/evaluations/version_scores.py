"""What the versions of a prompt scored, cost and took offline, and who made which one production."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, Exists, F, Max, Min, OuterRef, Q, When

from apps.datasets.models import Dataset
from apps.evaluations.models import EvalRun, RunMetric
from apps.evaluations.models import RunProgress as Sums
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.selectors import asks_own_model, metric_titles
from apps.evaluations.version_columns import Cell, VersionColumn, version_columns
from apps.prompts.models import Prompt, PromptLabelMove, PromptVersion

PRODUCTION = "production"
#: A median of latency is taken from this many of a run's last answers at most.
LATENCY_SAMPLE = 2_000
MOST_METRICS = 100


@dataclass(frozen=True, slots=True)
class MetricOption:
    """A metric that runs of the prompt have over the dataset; `key` is its name in the address."""

    name: str
    source: str
    title: str

    @property
    def key(self) -> str:
        return self.name if self.source == "evaluator" else f"{self.name} ({self.source})"


@dataclass(frozen=True, slots=True)
class VersionScore:
    """The run of a version over the dataset that stands for it: the newest finished one over all examples of
    its dataset version that has the chosen metric, else over some of them, else without it (`metric` None).
    Runs that asked another model than the version's own stand for it only where there is no other.

    `cost_usd` and `latency_ms` are of one call: the mean where prices are known, and the median; None where
    they are not known.
    """

    run: EvalRun
    metric: RunMetric | None
    planned: bool
    cost_usd: float | None
    latency_ms: float | None

    @property
    def part(self) -> tuple[int, int] | None:
        """How many examples of how many the run took; None where it took all."""
        taken = self.run.total // self.run.repetitions
        there = self.run.dataset_version.example_count
        return (taken, there) if taken < there else None


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version: its score (None without a finished run), the run of the version above it, when it was made
    production (None where it never was), whether it is now, and a cell for each further column."""

    version: PromptVersion
    score: VersionScore | None
    above: VersionScore | None
    promoted: PromptLabelMove | None
    in_production: bool
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class VersionScores:
    """The table: `datasets` that the prompt's finished runs were over, newest first, `dataset` the chosen;
    `metrics` that they have over it, those of the newest run first, `metric` the chosen."""

    datasets: list[Dataset]
    dataset: Dataset | None
    metrics: list[MetricOption]
    metric: MetricOption | None
    columns: list[VersionColumn]
    rows: list[VersionRow]


def version_scores(
    *, prompt: Prompt, versions: Sequence[PromptVersion], dataset: str = "", metric: str = ""
) -> VersionScores:
    """One row for each of `versions` (newest first, their labels fetched): one metric over one dataset.

    The dataset is the one with this slug, else that of the newest run; the metric the one with this key, else
    the primary one of the newest run, else its first. The number of queries depends on neither versions nor
    runs.
    """
    datasets = _datasets(prompt)
    chosen = next((each for each in datasets if each.slug == dataset), next(iter(datasets), None))
    metrics, usual = _metrics(prompt, chosen)
    measured = next((each for each in metrics if each.key == metric), usual)
    scores = _scores(versions, chosen, measured)
    promoted = _promoted(prompt, versions)
    columns = version_columns()
    cells = [column.cells(prompt, versions) for column in columns]
    rows = []
    for place, version in enumerate(versions):
        rows.append(
            VersionRow(
                version=version,
                score=scores.get(version.pk),
                above=scores.get(versions[place - 1].pk) if place else None,
                promoted=promoted.get(version.pk),
                in_production=any(label.name == PRODUCTION for label in version.labels.all()),
                cells=[found.get(version.pk, Cell("")) for found in cells],
            )
        )
    return VersionScores(datasets, chosen, metrics, measured, columns, rows)


def _finished(prompt_versions: Any) -> Any:
    return EvalRun.objects.filter(
        prompt_version__in=prompt_versions, status=EvalRun.Status.COMPLETED, finalized_at__isnull=False
    )


def _datasets(prompt: Prompt) -> list[Dataset]:
    newest = (
        _finished(prompt.versions.values("pk"))
        .values("dataset_version__dataset")
        .annotate(number=Max("number"))
        .order_by("-number")[:100]
    )
    ids = [row["dataset_version__dataset"] for row in newest]
    found = Dataset.objects.in_bulk(ids)
    return [found[pk] for pk in ids]


def _metrics(prompt: Prompt, dataset: Dataset | None) -> tuple[list[MetricOption], MetricOption | None]:
    """What the prompt's finished runs over the dataset measure, and which of it is shown unasked."""
    if dataset is None:
        return [], None
    runs = _finished(prompt.versions.values("pk")).filter(dataset_version__dataset=dataset)
    found = list(
        RunMetric.objects.filter(run__in=runs.values("pk"))
        .values("name", "source")
        .annotate(newest=Max("run__number"), first=Min("id"))
        .order_by("-newest", "first")[:MOST_METRICS]
    )
    newest = {run.number: run for run in runs.filter(number__in={row["newest"] for row in found})}
    options = []
    for row in found:
        title = metric_titles(newest[row["newest"]]).get(row["name"], row["name"])
        source = "" if row["source"] == "evaluator" else f" ({row['source']})"
        options.append(MetricOption(row["name"], row["source"], f"{title}{source}"))
    planned = planned_primary(newest[max(newest)]) if newest else ""
    primary = next((option for option in options if option.name == planned), None)
    return options, primary or next(iter(options), None)


def _scores(
    versions: Sequence[PromptVersion], dataset: Dataset | None, metric: MetricOption | None
) -> dict[UUID, VersionScore]:
    if dataset is None:
        return {}
    named = Q(name=metric.name, source=metric.source) if metric else Q(pk__in=[])
    scored = RunMetric.objects.filter(named, run=OuterRef("pk"), mean__isnull=False)
    whole = Q(total__gte=F("repetitions") * F("dataset_version__example_count"))
    runs = list(
        _finished([version.pk for version in versions])
        .filter(dataset_version__dataset=dataset)
        .select_related("dataset_version")
        .annotate(
            own=asks_own_model(), scored=Exists(scored), whole=Case(When(whole, then=True), default=False)
        )
        .order_by("prompt_version_id", "-own", "-scored", "-whole", "-number")
        .distinct("prompt_version_id")
    )
    metrics = {found.run_id: found for found in RunMetric.objects.filter(named, run__in=runs)}
    sums = {row.run_id: row for row in Sums.objects.filter(run__in=runs)}
    latencies = _latencies(runs)
    return {
        run.prompt_version_id: _score(run, metrics.get(run.pk), sums.get(run.pk), latencies.get(run.pk))
        for run in runs
        if run.prompt_version_id is not None
    }


def _score(
    run: EvalRun, metric: RunMetric | None, sums: Sums | None, latency_ms: float | None
) -> VersionScore:
    return VersionScore(
        run=run,
        metric=metric,
        planned=metric is not None and metric.name == planned_primary(run),
        cost_usd=float(sums.cost_usd) / sums.cost_known if sums and sums.cost_known else None,
        latency_ms=latency_ms,
    )


def _latencies(runs: Sequence[EvalRun]) -> dict[UUID, float]:
    """Run id → the median of its last answers' milliseconds."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT run.id, (
                SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms) FROM (
                    SELECT latency_ms FROM evaluations_evalitem
                    WHERE run_id = run.id AND answered_at IS NOT NULL ORDER BY answered_at DESC LIMIT %s
                ) AS latest
            ) FROM unnest(%s::uuid[]) AS run (id)
            """,
            [LATENCY_SAMPLE, [run.pk for run in runs]],
        )
        return {pk: median for pk, median in cursor.fetchall() if median is not None}


def _promoted(prompt: Prompt, versions: Sequence[PromptVersion]) -> dict[UUID, PromptLabelMove]:
    """Version id → the last time that it was made production."""
    moves = (
        PromptLabelMove.objects.filter(prompt=prompt, name=PRODUCTION, to_version__in=list(versions))
        .order_by("to_version_id", "-id")
        .distinct("to_version_id")
    )
    return {move.to_version_id: move for move in moves if move.to_version_id is not None}
