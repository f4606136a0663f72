"""One metric of a candidate against the baseline, as it is kept: its figures, what is missing, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.evaluations.comparing.corpus import Corpora
from apps.evaluations.comparing.lacking import reasons
from apps.evaluations.comparing.loading import Ints, Rows, RunRows
from apps.evaluations.comparing.shared_metrics import PREFERENCE, SharedMetric
from apps.evaluations.comparing.votes import Votes
from apps.evaluations.models import EvalRun
from apps.evaluations.statistics.intervals import MeanInterval
from apps.evaluations.statistics.paired import PairedResult, paired_samples
from apps.evaluations.statistics.power import smallest_difference
from apps.evaluations.statistics.preferences import Share, preference
from apps.evaluations.statistics.samples import Sample
from apps.evaluations.statistics.worst_case import WorstCase, worst_case

#: Of the bootstrap: the same comparison gives the same figures each time.
SEED = 20260101
NOTHING = Sample(np.empty(0, dtype=np.intp), np.empty(0))
_WHOSE = {"human": "People's preference", "judge": "Judges' preference"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate and the baseline; `counted` are the examples that count: those that both were to answer.
    What only one of them has is unpaired, and missing in neither.
    """

    baseline: EvalRun
    candidate: EvalRun
    base: RunRows
    cand: RunRows
    counted: NDArray[np.bool_]
    groups: Ints | None

    @classmethod
    def of(
        cls,
        rows: Rows,
        baseline: EvalRun,
        candidate: EvalRun,
        counted: NDArray[np.bool_],
        groups: Ints | None = None,
    ) -> Pair:
        base, cand = rows.runs[baseline.pk], rows.runs[candidate.pk]
        return cls(baseline, candidate, base, cand, counted & base.planned & cand.planned, groups)

    def narrowed(self, sample: Sample | None) -> Sample:
        """A sample over the examples that count, numbered among them."""
        if sample is None:
            return NOTHING
        numbers = np.cumsum(self.counted) - 1
        keep = self.counted[sample.examples]
        return Sample(numbers[sample.examples[keep]], sample.values[keep])

    def compare(self, base: Sample | None, cand: Sample | None, metric: dict[str, Any]) -> PairedResult:
        return paired_samples(
            self.narrowed(base),
            self.narrowed(cand),
            examples=int(self.counted.sum()),
            scale=metric["scale"],
            direction=metric["direction"] or None,
            groups=self.labels,
            seed=SEED,
        )

    @property
    def labels(self) -> Ints | None:
        return None if self.groups is None else self.groups[self.counted]


def item_metric(pair: Pair, metric: SharedMetric) -> dict[str, Any]:
    """A metric of items, paired by example; what one side lacks is missing."""
    base, cand = pair.base.scores.get(metric.key), pair.cand.scores.get(metric.key)
    found = pair.compare(base, cand, metric.described())
    count = int(pair.counted.sum())
    lacks = [np.isnan(pair.narrowed(sample).finite().means(count)) for sample in (base, cand)]
    return (
        metric.described()
        | asdict(found)
        | {"baseline_mean": found.baseline_mean, "candidate_mean": found.candidate_mean}
        | _power(found.standard_error, found.n)
        | {"sensitivity": _sensitivity(pair, metric, base, cand), "lacking": _lacking(pair, metric, *lacks)}
    )


def _sensitivity(
    pair: Pair, metric: SharedMetric, base: Sample | None, cand: Sample | None
) -> dict[str, Any] | None:
    if not metric.direction:
        return None
    found = worst_case(
        pair.narrowed(base),
        pair.narrowed(cand),
        within=(pair.base.planned & pair.cand.planned)[pair.counted],
        scale=metric.scale,
        direction=metric.direction,
        low=metric.low,
        high=metric.high,
        groups=pair.labels,
        seed=SEED,
        expected=(pair.base.planned_items()[pair.counted], pair.cand.planned_items()[pair.counted]),
    )
    if found is None:
        return None
    result = found.result
    return {
        "difference": result.difference,
        "ci_low": result.ci_low,
        "ci_high": result.ci_high,
        "text": _worst_text(found),
    }


def _worst_text(found: WorstCase) -> str:
    rows = (
        "The one example that lacks a score counts"
        if found.filled == 1
        else (f"The {found.filled:,} examples that lack a score count")
    )
    seen = "; these are the most extreme values seen" if found.observed else ""
    return (
        f"{rows} against the candidate: {found.worst:g} where the candidate lacks one, {found.best:g} where "
        f"the baseline does{seen}."
    )


def _lacking(
    pair: Pair, metric: SharedMetric, base: NDArray[np.bool_], cand: NDArray[np.bool_]
) -> dict[str, Any]:
    found = {}
    for name, run, lacks in (("baseline", pair.base, base), ("candidate", pair.cand, cand)):
        mask = np.zeros_like(pair.counted)
        mask[pair.counted] = lacks
        found[name] = reasons(run, metric.key, mask)
    return found


def run_metric(pair: Pair, metric: SharedMetric, corpora: Corpora) -> dict[str, Any] | None:
    """A metric of the whole run, by resampling the examples that both have; None where neither has it."""
    found = corpora.compare(metric, pair.baseline, pair.candidate)
    if found is None:
        return None
    n, by = found
    lacks = [corpora.lacking(metric, run)[pair.counted] for run in (pair.baseline, pair.candidate)]
    tested = by.p_value is not None
    return metric.described() | {
        "n": n,
        "missing": int(pair.counted.sum()) - n,
        "missing_in_baseline": int(lacks[0].sum()),
        "missing_in_candidate": int(lacks[1].sum()),
        "baseline": _interval(n, n, by.baseline, by.baseline_interval),
        "candidate": _interval(n, n, by.candidate, by.candidate_interval),
        "baseline_mean": by.baseline,
        "candidate_mean": by.candidate,
        "difference": by.difference,
        "standard_error": by.standard_error,
        "ci_low": by.low,
        "ci_high": by.high,
        "interval": "percentile" if tested else "",
        "p_value": by.p_value,
        "test": "paired_bootstrap_corpus" if tested else "",
        "reason": "The figure is one of the whole run, so both runs are scored over and over on the same "
        "examples, drawn with replacement."
        if tested
        else "The figure is one of the whole run, and cannot be resampled.",
        **_not_of_items(),
        **_power(by.standard_error, n),
        "other_tests": {} if by.sacrebleu_p is None else {"sacrebleu_paired_bootstrap": by.sacrebleu_p},
        "lacking": _lacking(pair, metric, *lacks),
    }


def preference_metric(pair: Pair, votes: Votes, source: str) -> dict[str, Any] | None:
    """Votes as a metric: the difference of the win rates. None without any between these two runs."""
    if not votes.value.size:
        return None
    units = votes.examples if pair.groups is None else pair.groups[votes.examples]
    found = preference(votes.value, units)
    rate = found.win_rate
    if rate.value is None or rate.low is None or rate.high is None:
        return None
    lost = Share(rate.n, rate.units, 1 - rate.value, 1 - rate.high, 1 - rate.low)
    return {
        "name": PREFERENCE,
        "title": _WHOSE[source],
        "source": source,
        "level": "item",
        "direction": "higher",
        "scale": "continuous",
        "unit": "",
        "n": rate.units,
        "missing": 0,
        "missing_in_baseline": 0,
        "missing_in_candidate": 0,
        "baseline": _of_share(lost),
        "candidate": _of_share(rate),
        "baseline_mean": lost.value,
        "candidate_mean": rate.value,
        "difference": 2 * rate.value - 1,
        "standard_error": found.standard_error,
        "ci_low": 2 * rate.low - 1,
        "ci_high": 2 * rate.high - 1,
        "interval": "wilson_clustered",
        "p_value": found.p_value,
        "test": "sign_exact",
        "reason": f"Each {'example' if pair.groups is None else 'group of examples'} counts once, by the "
        "majority of its votes; a tie is half a win for both.",
        **_not_of_items(),
        "wins": found.wins,
        "ties": found.ties,
        "losses": found.losses,
        **_power(found.standard_error, rate.units),
    }


def _not_of_items() -> dict[str, Any]:
    return {
        "wins": None,
        "ties": None,
        "losses": None,
        "effect_size": None,
        "effect_size_name": "",
        "other_tests": {},
        "other_intervals": {},
        "sensitivity": None,
        "lacking": {"baseline": [], "candidate": []},
    }


def _power(standard_error: float | None, n: int) -> dict[str, float | None]:
    if not standard_error:
        return {"spread": standard_error, "detectable": None}
    return {
        "spread": standard_error * n**0.5,
        "detectable": smallest_difference(standard_error=standard_error),
    }


def _interval(n: int, clusters: int, mean: float | None, ends: tuple[float, float] | None) -> dict[str, Any]:
    low, high = ends or (None, None)
    return asdict(MeanInterval(n, clusters, mean, low, high, "percentile" if ends else ""))


def _of_share(of: Share) -> dict[str, Any]:
    return asdict(MeanInterval(of.n, of.units, of.value, of.low, of.high, "wilson_clustered"))
