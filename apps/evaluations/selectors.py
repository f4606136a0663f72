"""Reading runs: which there are, how far they are, what they cost, what they measured.

Everything starts from the project, or from a run that was found through it. The rows of a run are read by
`result_selectors`, comparisons by `comparisons.selectors`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Case, Q, QuerySet, When
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone

from apps.core.models import Project
from apps.evaluations.errors import RunNotFound
from apps.evaluations.models import EvalRun, RunMetric
from apps.evaluations.models import RunProgress as Sums

LONGEST_SEARCH = 200
LARGEST_NUMBER = 2**31 - 1
#: The rate is that of the last half minute, so that a pause or a slow start does not spoil it for long.
RATE_WINDOW_S = 30.0
LATENCY_SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Items by state. `pending` waits for its answer, `answered` for its scores."""

    total: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    pending: int = 0
    answered: int = 0
    cached: int = 0

    @property
    def done(self) -> int:
        """Items that came to a result, good or bad; what was cancelled never did."""
        return self.completed + self.failed


@dataclass(frozen=True, slots=True)
class RunUsage:
    """Tokens, US dollars and milliseconds. `cost_usd` sums what is known; None when nothing is known.

    `cost_unknown` counts answers whose price is unknown: with any of them the cost is a lower bound.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = None
    cost_unknown: int = 0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    judge_cost_usd: Decimal = Decimal(0)
    cached: int = 0


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is. `rate` is in items per second, `seconds_left` an estimate; None when unknown."""

    done: int
    failed: int
    total: int
    rate: float | None
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric over a run: of its items, or `of_run` as a whole. `n` counts scored items.

    `spread` is how much repetitions differ; `detail` what a figure of the whole run shows beside its value.
    """

    name: str
    title: str
    source: str
    scale: str
    direction: str
    unit: str
    n: int
    missing: int
    mean: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    provisional: bool = False
    of_run: bool = False
    spread: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


def run_list(
    *, project: Project, q: str = "", status: str = "", prompt: str = "", dataset: str = ""
) -> QuerySet[EvalRun]:
    """The project's runs with prompt, dataset and model at hand. `prompt` and `dataset` are slugs;
    `q` finds text in the names of the run, its prompt, its dataset and its model, or the run's number."""
    runs = _runs_of(project)
    if status:
        runs = runs.filter(status=status)
    if prompt:
        runs = runs.filter(prompt_version__prompt__slug=_clean(prompt))
    if dataset:
        runs = runs.filter(dataset_version__dataset__slug=_clean(dataset))
    words = _clean(q).strip()
    if words:
        named = (
            Q(name__icontains=words)
            | Q(model_name__icontains=words)
            | Q(prompt_version__prompt__name__icontains=words)
            | Q(dataset_version__dataset__name__icontains=words)
        )
        number = words.lstrip("#")
        if number.isascii() and number.isdigit() and int(number) <= LARGEST_NUMBER:
            named |= Q(number=int(number))
        runs = runs.filter(named)
    return runs


def run_get(*, project: Project, id: UUID | None = None, number: int | None = None) -> EvalRun:
    """A run by its id or by its number in the project. Raises RunNotFound."""
    runs = _runs_of(project)
    found = None
    if id is not None:
        found = runs.filter(pk=id).first()
    elif number is not None and 0 < number <= LARGEST_NUMBER:
        found = runs.filter(number=number).first()
    if found is None:
        raise RunNotFound(f"There is no run {f'#{number}' if id is None else id} in {project.name}.")
    return found


def counts_of(runs: Sequence[EvalRun]) -> dict[UUID, RunCounts]:
    """Run id → counts, for each of `runs`, in one query whose time does not grow with the runs."""
    names = ("completed", "failed", "cancelled", "pending", "answered", "cached")
    rows = {row["run_id"]: row for row in _sums_of(runs).values("run_id", *names)}
    return {
        run.pk: RunCounts(total=run.total, **{name: rows.get(run.pk, {}).get(name, 0) for name in names})
        for run in runs
    }


def usage_of(runs: Sequence[EvalRun]) -> dict[UUID, RunUsage]:
    """Run id → tokens and cost, for each of `runs`, in one query and without latency."""
    found = {row.run_id: row for row in _sums_of(runs)}
    return {run.pk: _usage(found[run.pk]) if run.pk in found else RunUsage() for run in runs}


def run_usage(run: EvalRun) -> RunUsage:
    """Tokens and cost; the median and the 95th percentile of latency, of the last answers in a long run."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY latency_ms) FROM (
                SELECT latency_ms FROM evaluations_evalitem
                WHERE run_id = %s AND answered_at IS NOT NULL ORDER BY answered_at DESC LIMIT %s
            ) AS latest
            """,
            [run.pk, LATENCY_SAMPLE],
        )
        (found,) = cursor.fetchone() or (None,)
    median, late = found or (None, None)
    return replace(usage_of([run])[run.pk], latency_p50_ms=median, latency_p95_ms=late)


def run_progress(run: EvalRun, counts: RunCounts) -> RunProgress:
    """How far, how fast over the last half minute, how long still. One query; none for a run that ended."""
    if run.is_terminal or run.started_at is None:
        return RunProgress(counts.done, counts.failed, counts.total, None, None)
    now = timezone.now()
    window = min(RATE_WINDOW_S, max(1.0, (now - run.started_at).total_seconds()))
    recent = run.items.filter(answered_at__gt=now - timedelta(seconds=window)).count()
    rate = recent / window if recent else None
    left = (counts.total - counts.done) / rate if rate and run.status == EvalRun.Status.RUNNING else None
    return RunProgress(counts.done, counts.failed, counts.total, rate, left)


def run_metrics(run: EvalRun) -> list[MetricSummary]:
    """What the run measured: its summaries once it is finalised, else the means so far, without interval."""
    return _final_metrics(run) if run.finalized_at is not None else _metrics_so_far(run)


def headline_metrics(runs: Sequence[EvalRun]) -> dict[UUID, MetricSummary]:
    """Run id → its primary metric, else the first of its summary, where it has one. One query."""
    plans = {run.pk: metric_titles(run) for run in runs}
    primary = Case(When(name=KeyTextTransform("primary_metric", "run__plan"), then=0), default=1)
    rows = RunMetric.objects.filter(run__in=list(plans)).order_by("run_id", primary, "id").distinct("run_id")
    return {row.run_id: _final(row, plans[row.run_id]) for row in rows}


def asks_own_model() -> Case:
    """Whether a run asked the model that its prompt version names. Others say more of the model that they
    asked, as a measurement of a fine-tuned one does, than of the version."""
    named = KeyTextTransform("model", "prompt_version__parameters")
    return Case(When(Q(model_name="") | Q(model_name=named), then=True), default=False)


def metric_titles(run: EvalRun) -> dict[str, str]:
    """Name → how a planned metric is called: by its evaluator, and by its own name where that has several."""
    return titles_of(run.plan.get("metrics", []))


def titles_of(specs: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The same for metrics that are planned, or would be (`frozen_metrics`)."""
    several = Counter(spec["evaluator_version"] for spec in specs)
    return {
        spec["name"]: spec["evaluator"]
        if several[spec["evaluator_version"]] == 1
        else f"{spec['evaluator']}, {spec['title']}"
        for spec in specs
    }


def metric_names(run: EvalRun) -> list[str]:
    """The names of the metrics that its items have: planned ones in order, then those of posted scores."""
    of_run, found = _of_run(run), [*metric_titles(run), *(metric.name for metric in run_metrics(run))]
    return [name for name in dict.fromkeys(found) if name not in of_run]


def deciding_metrics(run: EvalRun) -> list[str]:
    """The names of the metrics that a comparison can be decided by: those of items first, then of the run."""
    return [*metric_names(run), *_of_run(run)]


def _of_run(run: EvalRun) -> list[str]:
    """The names of the metrics that only the whole run has."""
    return [spec["name"] for spec in run.plan.get("metrics", []) if spec.get("level") == "run"]


def _runs_of(project: Project) -> QuerySet[EvalRun]:
    return EvalRun.objects.filter(project=project).select_related(
        "project", "prompt_version__prompt", "dataset_version__dataset", "model__provider"
    )


def _sums_of(runs: Sequence[EvalRun]) -> QuerySet[Sums]:
    return Sums.objects.filter(run__in=[run.pk for run in runs])


def _usage(sums: Sums) -> RunUsage:
    return RunUsage(
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        cost_usd=sums.cost_usd if sums.cost_known else None,
        cost_unknown=sums.cost_unknown,
        judge_cost_usd=sums.judge_cost_usd,
    )


def _final_metrics(run: EvalRun) -> list[MetricSummary]:
    titles, of_run = metric_titles(run), _of_run(run)
    return [_final(row, titles, of_run) for row in run.metrics.order_by("id")]


def _final(row: RunMetric, titles: dict[str, str], of_run: Collection[str] = ()) -> MetricSummary:
    return MetricSummary(
        name=row.name,
        title=titles.get(row.name, row.name),
        source=row.source,
        scale=row.scale,
        direction=row.direction,
        unit=row.unit,
        n=row.n,
        missing=row.missing,
        mean=row.mean,
        ci_low=row.ci_low,
        ci_high=row.ci_high,
        of_run=row.name in of_run,
        spread=row.spread,
        detail=row.shown,
    )


def _metrics_so_far(run: EvalRun) -> list[MetricSummary]:
    specs = {spec["name"]: spec for spec in run.plan.get("metrics", [])}
    titles = metric_titles(run)
    rows = {
        (tally.metric, tally.source): (tally.scored, tally.unscored, tally.total / tally.scored)
        if tally.scored
        else (0, tally.unscored, None)
        for tally in run.tallies.order_by("metric", "source")
    }
    planned = {(name, "evaluator"): (0, 0, None) for name in specs}
    return [
        _so_far(name, source, titles.get(name, name), specs.get(name, {}), rows.get((name, source), nothing))
        for (name, source), nothing in (planned | rows).items()
    ]


def _so_far(name: str, source: str, title: str, spec: dict[str, Any], row: Any) -> MetricSummary:
    return MetricSummary(
        name=name,
        title=title,
        source=source,
        scale=spec.get("scale", "continuous"),
        direction=spec.get("direction") or "",
        unit=spec.get("unit", ""),
        n=row[0],
        missing=row[1],
        mean=row[2],
        provisional=True,
        of_run=spec.get("level") == "run",
    )


def _clean(text: str) -> str:
    return text.replace("\x00", "")[:LONGEST_SEARCH]
