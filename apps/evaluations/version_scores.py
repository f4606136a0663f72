"""What the versions of a prompt scored, cost and took offline, and who made which one production."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max

from apps.datasets.models import Dataset
from apps.evaluations.models import EvalRun, RunMetric
from apps.evaluations.models import RunProgress as Sums
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.selectors import metric_titles
from apps.evaluations.version_columns import Cell, VersionColumn, version_columns
from apps.prompts.models import Prompt, PromptLabelMove, PromptVersion

PRODUCTION = "production"
#: A median of latency is taken from this many of a run's last answers at most.
LATENCY_SAMPLE = 2_000


@dataclass(frozen=True, slots=True)
class VersionScore:
    """The newest finished run of a version over the dataset. `cost_usd` and `latency_ms` are of one call:
    the mean where prices are known, and the median; None where they are not known."""

    run: EvalRun
    metric: RunMetric | None
    title: str
    planned: bool
    cost_usd: float | None
    latency_ms: float | None


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
    """The table: `datasets` that the prompt's finished runs were over, newest first, `dataset` the chosen."""

    datasets: list[Dataset]
    dataset: Dataset | None
    columns: list[VersionColumn]
    rows: list[VersionRow]


def version_scores(*, prompt: Prompt, versions: Sequence[PromptVersion], dataset: str = "") -> VersionScores:
    """One row for each of `versions` (newest first, their labels fetched), over the dataset with this slug,
    else over that of the newest run. The number of queries depends on neither versions nor runs."""
    datasets = _datasets(prompt)
    chosen = next((each for each in datasets if each.slug == dataset), next(iter(datasets), None))
    scores = _scores(versions, chosen)
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
    return VersionScores(datasets, chosen, columns, rows)


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


def _scores(versions: Sequence[PromptVersion], dataset: Dataset | None) -> dict[UUID, VersionScore]:
    if dataset is None:
        return {}
    runs = list(
        _finished([version.pk for version in versions])
        .filter(dataset_version__dataset=dataset)
        .order_by("prompt_version_id", "-number")
        .distinct("prompt_version_id")
    )
    metrics: dict[UUID, list[RunMetric]] = {run.pk: [] for run in runs}
    for metric in RunMetric.objects.filter(run__in=runs).order_by("id"):
        metrics[metric.run_id].append(metric)
    sums = {row.run_id: row for row in Sums.objects.filter(run__in=runs)}
    latencies = _latencies(runs)
    return {
        run.prompt_version_id: _score(run, metrics[run.pk], sums.get(run.pk), latencies.get(run.pk))
        for run in runs
        if run.prompt_version_id is not None
    }


def _score(
    run: EvalRun, metrics: list[RunMetric], sums: Sums | None, latency_ms: float | None
) -> VersionScore:
    planned = planned_primary(run)
    metric = next((each for each in metrics if each.name == planned), next(iter(metrics), None))
    name = metric.name if metric else ""
    return VersionScore(
        run=run,
        metric=metric,
        title=metric_titles(run).get(name, name),
        planned=bool(name) and name == planned,
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
