"""Metrics of a whole run, from the statistics that its items keep. Memory: some numbers for each item."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from apps.evaluations.evaluators import EvaluatorKind, MetricSpec, Place, WholeRun, kind
from apps.evaluations.evaluators.whole_run import RunMetricName, Totals
from apps.evaluations.models import EvalRun, EvaluatorVersion, ItemScore, RunMetric
from apps.evaluations.statistics import bootstrap_intervals
from apps.evaluations.statistics.bootstrap import RESAMPLES, SEED

#: With more different counts than this (free text as categories, say) figures have no interval.
MOST_COUNTS = 2_000
CHUNK = 2_000


class ExampleTotals:
    """The totals of each example, as a sparse matrix in the making."""

    def __init__(self) -> None:
        self._columns: dict[Hashable, int] = {}
        self._values, self._places, self._starts = array("d"), array("l"), array("l", [0])
        self.items = 0

    def add(self, totals: Totals, *, items: int) -> None:
        """The totals of one more example, which come from `items` of its repetitions."""
        for name, number in totals.items():
            self._places.append(self._columns.setdefault(name, len(self._columns)))
            self._values.append(number)
        self._starts.append(len(self._values))
        self.items += items

    @property
    def names(self) -> list[Hashable]:
        return list(self._columns)

    def matrix(self) -> Any:
        """One row an example, one column a name."""
        from scipy import sparse

        shape = (len(self._starts) - 1, len(self._columns))
        return sparse.csr_matrix((self._values, self._places, self._starts), shape=shape)


def whole_run_metrics(
    run: EvalRun, version: EvaluatorVersion, figures: Mapping[str, float | None]
) -> list[RunMetric]:
    """The summaries of the metrics that `version` has of the whole run; none for a kind without any.

    `figures` are the run's other figures by name, for rules about them.
    """
    of = kind(version.evaluator.kind)
    if of.whole_run is None:
        return []
    examples = ExampleTotals()
    for statistics in _by_example(run, version, of):
        examples.add(of.whole_run.of_example(statistics, version.config), items=len(statistics))
    given: dict[Hashable, float] = {}
    if of.place is Place.AT_END:
        given = {RunMetricName(name): value for name, value in figures.items() if value is not None}
    return _summaries(run, version, of.whole_run, examples, given)


def _by_example(run: EvalRun, version: EvaluatorVersion, of: EvaluatorKind) -> Iterator[list[Any]]:
    """The statistics of each example's items, streamed."""
    rows = (
        ItemScore.objects.filter(
            item__run=run,
            item__status="completed",
            evaluator_version=version,
            metric=of.metric_name(version.evaluator.slug, of.metrics[0].name),
            statistics__isnull=False,
        )
        .order_by("item__example_id", "item__repetition")
        .values_list("item__example_id", "statistics")
        .iterator(chunk_size=CHUNK)
    )
    for _, of_example in groupby(rows, key=lambda row: row[0]):
        yield [statistics for _, statistics in of_example]


def _summaries(
    run: EvalRun,
    version: EvaluatorVersion,
    whole: WholeRun,
    examples: ExampleTotals,
    given: Mapping[Hashable, float],
) -> list[RunMetric]:
    config, names, matrix = version.config, examples.names, examples.matrix()

    def totals(sums: Iterable[float]) -> Totals:
        return {**dict(zip(names, map(float, sums), strict=True)), **given}

    all_of_it = totals(matrix.sum(axis=0).A1 if names else [])
    values, told = whole.score(all_of_it, config), whole.describe(all_of_it, config)
    again = whole.resampled or whole.score
    resampled = any(spec.scale != "binary" for spec in whole.metrics) and 0 < len(names) <= MOST_COUNTS
    intervals = bootstrap_intervals(matrix, lambda sums: again(totals(sums), config)) if resampled else {}
    return [
        _summary(run, version, spec, examples.items, values.get(spec.name), intervals, told)
        for spec in whole.metrics
    ]


def _summary(
    run: EvalRun,
    version: EvaluatorVersion,
    spec: MetricSpec,
    items: int,
    value: float | None,
    intervals: Mapping[str, tuple[float, float]],
    told: Mapping[str, Mapping[str, Any]],
) -> RunMetric:
    low, high = intervals.get(spec.name, (None, None))
    detail = dict(told.get(spec.name, {}))
    if low is not None:
        detail["interval"] = f"percentile bootstrap over examples, {RESAMPLES:,} resamples, seed {SEED}"
    return RunMetric(
        run=run,
        name=kind(version.evaluator.kind).metric_name(version.evaluator.slug, spec.name),
        source="evaluator",
        scale=spec.scale,
        direction=spec.direction or "",
        unit=spec.unit,
        n=items,
        missing=run.total - items,
        mean=value,
        ci_low=low,
        ci_high=high,
        detail=detail,
    )
