"""Metrics of whole runs, compared by resampling the examples that both runs have."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray
from scipy import sparse

from apps.evaluations.comparing.loading import Ints, Rows
from apps.evaluations.comparing.shared_metrics import SharedMetric
from apps.evaluations.engine.whole_runs import MOST_COUNTS, ExampleTotals
from apps.evaluations.evaluators import Place, WholeRun, kind
from apps.evaluations.evaluators.whole_run import Totals
from apps.evaluations.models import EvalRun, EvaluatorVersion
from apps.evaluations.statistics.corpus import (
    RESAMPLES,
    SEED,
    CorpusDifference,
    ResampledRun,
    corpus_difference,
    resampled_run,
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """What one evaluator version keeps of a run's examples: `matrix` has a row for each of `examples`."""

    version: EvaluatorVersion
    whole: WholeRun
    examples: Ints
    matrix: Any
    names: list[Any]

    def score(self, sums: NDArray[Any]) -> dict[str, float | None]:
        return self._named(self.whole.score, sums)

    def score_again(self, sums: NDArray[Any]) -> dict[str, float | None]:
        return self._named(self.whole.resampled or self.whole.score, sums)

    def _named(self, score: Any, sums: NDArray[Any]) -> dict[str, float | None]:
        totals: Totals = dict(zip(self.names, sums.tolist(), strict=True))
        of, slug = kind(self.version.evaluator.kind), self.version.evaluator.slug
        return {
            of.metric_name(slug, name): value for name, value in score(totals, self.version.config).items()
        }


class Corpora:
    """The corpora of a comparison's runs; resamples are scored once for each set of examples. `groups` has a
    number for each example, where they come in groups."""

    def __init__(self, runs: Sequence[EvalRun], rows: Rows, groups: Ints | None = None) -> None:
        self._corpora = _load(runs, rows)
        self._groups = groups
        self._resampled: dict[tuple[UUID, UUID, bytes], ResampledRun] = {}
        self._size = rows.size

    def compare(
        self, metric: SharedMetric, baseline: EvalRun, candidate: EvalRun
    ) -> tuple[int, CorpusDifference] | None:
        """The number of examples that both have, and the difference over them; None where nothing is kept."""
        first, second = self._of(metric, baseline), self._of(metric, candidate)
        if first is None or second is None:
            return None
        common = np.intersect1d(first.examples, second.examples)
        if not common.size:
            return None
        figures = self._figures(baseline, first, common), self._figures(candidate, second, common)
        return int(common.size), corpus_difference(*figures, metric.name)

    def lacking(self, metric: SharedMetric, run: EvalRun) -> NDArray[np.bool_]:
        """Which examples have nothing kept."""
        lacking = np.ones(self._size, dtype=bool)
        corpus = self._of(metric, run)
        if corpus is not None:
            lacking[corpus.examples] = False
        return lacking

    def _by_group(self, matrix: Any, examples: Ints) -> Any:
        """The sums of each group of examples, so that groups are drawn whole."""
        if self._groups is None:
            return matrix
        codes = np.unique(self._groups[examples], return_inverse=True)[1]
        one = np.ones(codes.size)
        return sparse.csr_matrix((one, (codes, np.arange(codes.size)))) @ matrix

    def _of(self, metric: SharedMetric, run: EvalRun) -> Corpus | None:
        return self._corpora.get((run.pk, metric.name))

    def _figures(self, run: EvalRun, corpus: Corpus, common: Ints) -> ResampledRun:
        key = (run.pk, corpus.version.pk, hashlib.sha256(common.tobytes()).digest())
        if key not in self._resampled:
            matrix = self._by_group(corpus.matrix[np.searchsorted(corpus.examples, common)], common)
            drawn = RESAMPLES if _has_spread(corpus) else 0
            self._resampled[key] = resampled_run(
                matrix, corpus.score, corpus.score_again, resamples=drawn, seed=SEED
            )
        return self._resampled[key]


def _has_spread(corpus: Corpus) -> bool:
    """A verdict on a run has none, and with too many different counts resampling takes too long."""
    continuous = any(spec.scale != "binary" for spec in corpus.whole.metrics)
    return continuous and len(corpus.names) <= MOST_COUNTS


def _load(runs: Sequence[EvalRun], rows: Rows) -> dict[tuple[UUID, str], Corpus]:
    """(run, stored name of a whole-run metric) → its corpus; two queries, none without such metrics."""
    wanted = {
        spec["evaluator_version"]
        for run in runs
        for spec in run.plan.get("metrics", [])
        if spec.get("level") == "run" and spec.get("evaluator_version")
    }
    if not wanted:
        return {}
    versions = EvaluatorVersion.objects.select_related("evaluator").filter(pk__in=wanted)
    by_id = {version.pk: version for version in versions}
    found: dict[tuple[UUID, str], Corpus] = {}
    kept = _statistics([run.pk for run in runs], list(by_id))
    for (run_id, version_id), of_run in groupby(kept, key=lambda row: (row[0], row[1])):
        corpus = _corpus(
            by_id[version_id], ((row[2], row[3]) for row in of_run), rows.runs[run_id].at_position
        )
        if corpus is not None:
            of, slug = kind(corpus.version.evaluator.kind), corpus.version.evaluator.slug
            found |= {(run_id, of.metric_name(slug, spec.name)): corpus for spec in corpus.whole.metrics}
    return found


def _statistics(run_ids: list[UUID], version_ids: list[UUID]) -> list[tuple[UUID, UUID, int, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT item.run_id, score.evaluator_version_id, item.position, score.statistics::text
            FROM evaluations_itemscore AS score JOIN evaluations_evalitem AS item ON item.id = score.item_id
            WHERE item.run_id = ANY(%s) AND score.evaluator_version_id = ANY(%s)
              AND item.status = 'completed' AND score.statistics IS NOT NULL
            ORDER BY 1, 2, 3, item.repetition
            """,
            [run_ids, version_ids],
        )
        return list(cursor.fetchall())


def _corpus(version: EvaluatorVersion, kept: Iterable[tuple[int, str]], at_position: Ints) -> Corpus | None:
    of = kind(version.evaluator.kind)
    if of.whole_run is None or of.place is Place.AT_END:
        return None
    totals, numbers = ExampleTotals(), []
    for position, of_example in groupby(kept, key=lambda row: row[0]):
        statistics = [json.loads(text) for _, text in of_example]
        totals.add(of.whole_run.of_example(statistics, version.config), items=len(statistics))
        numbers.append(int(at_position[position]))
    examples = np.array(numbers, dtype=np.intp)
    order = np.argsort(examples)
    return Corpus(version, of.whole_run, examples[order], totals.matrix()[order], totals.names)
