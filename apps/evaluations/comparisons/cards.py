"""The figures of a comparison made ready for its page: a card a metric, one line a candidate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.evaluations.comparisons.figures import entry_for, metrics_against, unpaired_of
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.comparisons.verdict import Tone, Verdict, tone_of, verdict
from apps.evaluations.comparisons.verdict_words import unpaired
from apps.evaluations.models import EvalRun
from apps.evaluations.selectors import metric_titles

Figures = Mapping[str, Any] | None
"""Part "metrics" of a comparison's figures; None before they are made."""
Metric = dict[str, Any]

LONGEST_NAME = 40
_MEASURES = {"cost": "Cost of a call", "latency": "Latency of a call"}


@dataclass(frozen=True, slots=True)
class Forest:
    """A difference with its interval on a line of 100 units with zero in the middle, for an svg.

    `left` is where the mark of the difference itself begins, two units wide.
    """

    left: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Wins:
    """Shares of examples won, tied and lost, in percent, for a bar."""

    won: float
    tied: float
    lost: float

    @property
    def lost_from(self) -> float:
        return round(self.won + self.tied, 2)


@dataclass(frozen=True, slots=True)
class Card:
    """One metric, or cost or latency, of a candidate against the baseline.

    `query` is the address that sorts the rows by it; `chosen` where they are. `change` is the difference as
    a share of the baseline's mean, of cost and latency alone.
    """

    metric: Metric
    tone: Tone
    forest: Forest | None
    wins: Wins | None = None
    query: str = ""
    chosen: bool = False
    change: float | None = None


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """A candidate among several; its verdict is None before its figures are there."""

    run: EvalRun
    verdict: Verdict | None
    primary: Card | None
    measures: dict[str, Card]
    query: str
    chosen: bool


def metrics_shown(state: ComparisonState, figures: Figures, candidate: EvalRun | None = None) -> list[Metric]:
    """The candidate's metrics, the primary first, called as on the page of the baseline's run."""
    run = candidate or state.candidate
    titles = metric_titles(run) | metric_titles(state.baseline)
    metrics = metrics_against(dict(figures) if figures else None, run)
    named = [metric | {"title": titles.get(metric["name"], metric["title"])} for metric in metrics]
    return sorted(named, key=lambda metric: not metric["primary"])


def metric_chosen(state: ComparisonState, metrics: Iterable[Metric]) -> Metric | None:
    """The metric that the address names, else the primary, else the first; None where there is none."""
    metrics = list(metrics)
    named = [metric for metric in metrics if metric["name"] == state["metric"]]
    exact = [metric for metric in named if metric["source"] == state["source"]]
    return next(iter([*exact, *named, *metrics]), None)


def primary_metric(metrics: Iterable[Metric]) -> Metric | None:
    """The metric that decides; None where the runs do not share it."""
    return next((metric for metric in metrics if metric["primary"]), None)


def metric_cards(state: ComparisonState, metrics: list[Metric]) -> list[Card]:
    """A card for each metric; one may be followed to have the rows sorted by it."""
    chosen = metric_chosen(state, metrics)
    return [
        card_of(metric, query=sorting_query(state, metric), chosen=metric is chosen) for metric in metrics
    ]


def sorting_query(state: ComparisonState, metric: Metric) -> str:
    """The address with the rows sorted by this metric; a range of another metric's values goes."""
    name, source = ("", "") if metric["primary"] else (metric["name"], metric["source"])
    return state.query(metric=name, source=source, on="", low="", high="")


def measure_cards(figures: Figures, candidate: EvalRun) -> list[Card]:
    """Cost and latency of a call, where both runs know them."""
    entry = entry_for(dict(figures) if figures else None, candidate) or {}
    return [
        _measure(name, title, entry[name])
        for name, title in _MEASURES.items()
        if entry.get(name) and entry[name].get("n")
    ]


def candidate_lines(state: ComparisonState, figures: Figures) -> list[CandidateLine]:
    """One line a candidate, their intervals drawn to one scale."""
    metrics = {run.pk: metrics_shown(state, figures, run) for run in state.candidates}
    primaries = {pk: primary_metric(found) for pk, found in metrics.items()}
    reach = _reach(metric for metric in primaries.values() if metric is not None)
    lines = []
    for run in state.candidates:
        primary = primaries[run.pk]
        lines.append(
            CandidateLine(
                run=run,
                verdict=verdict_on(state, figures, run, metrics[run.pk]),
                primary=card_of(primary, reach=reach) if primary else None,
                measures={card.metric["name"]: card for card in measure_cards(figures, run)},
                query=state.query(candidate=run),
                chosen=run == state.candidate,
            )
        )
    return lines


def verdict_on(
    state: ComparisonState, figures: Figures, candidate: EvalRun, metrics: list[Metric] | None = None
) -> Verdict | None:
    """The sentence on one candidate; None before its figures are made."""
    if entry_for(dict(figures) if figures else None, candidate) is None:
        return None
    metrics = metrics_shown(state, figures, candidate) if metrics is None else metrics
    found = verdict(
        primary_metric(metrics),
        candidate=_shortened(candidate.name),
        baseline=_shortened(state.baseline.name),
        others=[metric for metric in metrics if not metric["primary"]],
        same_setup=_same_setup(state.baseline, candidate),
    )
    apart = unpaired(sum(unpaired_of(dict(figures) if figures else None, candidate).values()))
    return replace(found, detail=f"{found.detail}{apart}".strip())


def _same_setup(one: EvalRun, other: EvalRun) -> bool:
    """Whether nothing that is versioned here differs between the runs but the time."""
    return (
        one.prompt_version_id is not None
        and not (one.recorded or other.recorded)
        and (one.prompt_version_id, one.model_id, one.parameters)
        == (other.prompt_version_id, other.model_id, other.parameters)
    )


def card_of(metric: Metric, *, query: str = "", chosen: bool = False, reach: float | None = None) -> Card:
    """One metric ready to be drawn; `reach` is the scale of its interval's drawing, its own by default."""
    return Card(
        metric=metric,
        tone=tone_of(metric),
        forest=forest_of(metric, reach or _reach([metric])),
        wins=_wins(metric),
        query=query,
        chosen=chosen,
    )


def forest_of(metric: Mapping[str, Any], reach: float) -> Forest | None:
    """The interval to scale: `reach` (in the metric's unit) is as far from zero as the line goes."""
    low, high, difference = metric["ci_low"], metric["ci_high"], metric["difference"]
    if low is None or high is None or difference is None:
        return None
    left, right, middle = (round(50 + 46 * value / (reach or 1.0), 2) for value in (low, high, difference))
    return Forest(left=round(middle - 1, 2), low=left, high=max(right, round(left + 0.5, 2)))


def _shortened(name: str) -> str:
    """A run's name inside a sentence that says it twice."""
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


def _measure(name: str, title: str, measured: Mapping[str, Any]) -> Card:
    metric = {**measured, "name": name, "title": title, "direction": "lower"}
    before, difference = metric["baseline_mean"], metric["difference"]
    change = difference / before if before and difference is not None else None
    return Card(metric, tone_of(metric), forest_of(metric, _reach([metric])), change=change)


def _reach(metrics: Iterable[Mapping[str, Any]]) -> float:
    """How far from zero the intervals go, at most."""
    ends = [metric[name] for metric in metrics for name in ("ci_low", "ci_high", "difference")]
    return max((abs(end) for end in ends if end is not None), default=0.0) or 1.0


def _wins(metric: Metric) -> Wins | None:
    wins, ties, losses = (metric.get(name) or 0 for name in ("wins", "ties", "losses"))
    total = wins + ties + losses
    if not metric["n"] or not total:
        return None
    return Wins(*(round(100 * part / total, 2) for part in (wins, ties, losses)))
