"""The figures of one metric of a judge against people: how far they say the same, and what that corrects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import numpy as np

from apps.evaluations.evaluators import MetricSpec
from apps.evaluations.models import EvalItem, EvalRun, EvaluatorVersion
from apps.evaluations.statistics.against_people import confusion, numbers
from apps.evaluations.statistics.agreement import cohens_kappa
from apps.evaluations.statistics.intervals import mean_interval
from apps.evaluations.statistics.prediction_powered import FEWEST, corrected_mean
from apps.feedback.judging.loading import Judged, judge_values, judged_load
from apps.feedback.judging.matching import Match, judge_ends

MOST_EXAMPLES = 50
MOST_RUNS = 50
MOST_STEPS = 10
MOST_CATEGORIES = 30
NO, YES = "no", "yes"


@dataclass(frozen=True, slots=True)
class Pair:
    """What people and the judge say of one item, as it is compared."""

    judged: Judged
    people: str
    judge: str


def judge_figures(
    version: EvaluatorVersion, spec: MetricSpec, match: Match, runs: Sequence[EvalRun]
) -> dict[str, Any]:
    """All that is kept of it, as JSON."""
    judged, raters = judged_load(version, spec.name, match, [run.pk for run in runs])
    found = {
        "against": list(match.labels),
        "votes": match.votes,
        "rated": len(judged),
        "raters": raters,
        "runs": _runs(version, spec, judged, runs),
    }
    if not judged:
        return found | {"mode": "none", "n": 0, "headline": None}
    return found | _compared(judged, match, judge_ends(spec, version.config), {run.pk: run for run in runs})


def _compared(
    judged: list[Judged],
    match: Match,
    ends: tuple[float | None, float | None],
    runs: dict[UUID, EvalRun],
) -> dict[str, Any]:
    both = [one for one in judged if one.value is not None and one.mean is not None]
    if match.votes or len(both) < len(judged):
        return _by_label(judged, runs)
    people = {value for one in both for value in one.values}
    judge = {float(one.value) for one in both if one.value is not None}
    if people <= {0.0, 1.0} or judge <= {0.0, 1.0}:
        return _binary(both, judge, people, match, ends, runs)
    return _numbers(both, judge, people, runs)


def _by_label(judged: list[Judged], runs: dict[UUID, EvalRun]) -> dict[str, Any]:
    named = [one for one in judged if one.label and one.labels]
    pairs = [Pair(one, said.casefold(), one.label.casefold()) for one in named if (said := one.majority)]
    known = {pair.people for pair in pairs} | {pair.judge for pair in pairs}
    if not pairs or len(known) > MOST_CATEGORIES:
        return {"mode": "none", "n": 0, "ties": len(named) - len(pairs), "headline": None}
    return {"mode": "categories", "ties": len(named) - len(pairs), **_confused(pairs, runs)}


def _binary(
    both: list[Judged],
    judge: set[float],
    people: set[float],
    match: Match,
    ends: tuple[float | None, float | None],
    runs: dict[UUID, EvalRun],
) -> dict[str, Any]:
    """Yes and no on both sides; what is no such answer counts as yes from the middle of its scale on."""
    judge_from = 0.5 if judge <= {0.0, 1.0} else _middle(ends, judge)
    people_from = 0.5 if people <= {0.0, 1.0} else _middle((match.low, match.high), people)
    halves = people <= {0.0, 1.0}
    sure = [one for one in both if not (halves and one.mean == people_from)]
    pairs = [
        Pair(
            one,
            YES if (one.mean or 0) >= people_from else NO,
            YES if (one.value or 0) >= judge_from else NO,
        )
        for one in sure
    ]
    if not pairs:
        return {"mode": "none", "n": 0, "ties": len(both), "headline": None}
    return {
        "mode": "binary",
        "ties": len(both) - len(pairs),
        "judge_from": None if judge <= {0.0, 1.0} else judge_from,
        "people_from": None if people <= {0.0, 1.0} else people_from,
        **_confused(pairs, runs, (NO, YES)),
    }


def _middle(ends: tuple[float | None, float | None], seen: set[float]) -> float:
    low = min(seen) if ends[0] is None else ends[0]
    high = max(seen) if ends[1] is None else ends[1]
    return (low + high) / 2


def _confused(pairs: list[Pair], runs: dict[UUID, EvalRun], labels: Sequence[str] = ()) -> dict[str, Any]:
    found = confusion([pair.people for pair in pairs], [pair.judge for pair in pairs], labels)
    told = asdict(found)
    return {
        "n": len(pairs),
        "confusion": told,
        "headline": {"name": "κ", **_headline(told["kappa"]), "n": len(pairs)},
        "agreed": told["agreed"],
        "examples": _examples([pair for pair in pairs if pair.people != pair.judge], runs),
    }


def _numbers(
    both: list[Judged], judge: set[float], people: set[float], runs: dict[UUID, EvalRun]
) -> dict[str, Any]:
    mean = np.array([one.mean for one in both], dtype=float)
    value = np.array([one.value for one in both], dtype=float)
    found = asdict(numbers(mean, value))
    steps = {*judge, *mean.tolist()}
    ordered = all(step == int(step) for step in steps) and max(steps) - min(steps) < MOST_STEPS
    weighted = asdict(cohens_kappa(np.vstack([mean, value]), weighted=True)) if ordered else None
    headline = ("weighted κ", weighted) if weighted else ("α", found["alpha"])
    apart = sorted(both, key=lambda one: -abs((one.value or 0) - (one.mean or 0)))
    pairs = [Pair(one, f"{one.mean:.3g}", f"{one.value:.3g}") for one in apart[:MOST_EXAMPLES]]
    return {
        "mode": "numbers",
        "n": len(both),
        "ties": 0,
        "numbers": found,
        "weighted": weighted,
        "headline": {"name": headline[0], **_headline(headline[1]), "n": len(both)},
        "examples": _examples([pair for pair in pairs if pair.people != pair.judge], runs),
    }


def _headline(figure: dict[str, Any]) -> dict[str, Any]:
    return {name: figure[name] for name in ("value", "low", "high")}


def _examples(pairs: list[Pair], runs: dict[UUID, EvalRun]) -> list[dict[str, Any]]:
    """The first pairs, with what a link to each needs."""
    shown = pairs[:MOST_EXAMPLES]
    items = EvalItem.objects.in_bulk([pair.judged.item for pair in shown])
    return [
        {
            "item": str(pair.judged.item),
            "run": runs[pair.judged.run].number,
            "run_name": runs[pair.judged.run].name,
            "example": item.example_key,
            "output": item.output[:300],
            "people": pair.people,
            "judge": pair.judge,
        }
        for pair in shown
        if (item := items.get(pair.judged.item)) is not None
    ]


def _runs(
    version: EvaluatorVersion, spec: MetricSpec, judged: list[Judged], runs: Sequence[EvalRun]
) -> list[dict[str, Any]]:
    """Each run that people rated: the judge's own mean, and people's over the whole run as it corrects it."""
    rated: dict[UUID, list[Judged]] = {}
    for one in judged:
        if one.mean is not None and one.value is not None:
            rated.setdefault(one.run, []).append(one)
    known = sorted((run for run in runs if run.pk in rated), key=lambda run: -run.number)[:MOST_RUNS]
    return [_run(version, spec, run, rated[run.pk]) for run in known]


def _run(version: EvaluatorVersion, spec: MetricSpec, run: EvalRun, rated: list[Judged]) -> dict[str, Any]:
    """Examples are the units: what was repeated is averaged first."""
    values = judge_values(version, spec.name, run.pk)
    examples = [example for _, example, _ in values]
    raw = mean_interval([value for *_, value in values], binary=spec.scale == "binary", clusters=examples)
    people = _by_example([(one.example, one.mean or 0.0) for one in rated])
    judge = _by_example([(one.example, one.value or 0.0) for one in rated])
    others = _by_example([(example, value) for _, example, value in values if example not in people])
    units = list(people)
    corrected = None
    if len(units) >= FEWEST:
        corrected = corrected_mean(
            np.array([people[one] for one in units]),
            np.array([judge[one] for one in units]),
            np.array(list(others.values())),
        )
    return {
        "number": run.number,
        "name": run.name,
        "raw": {"mean": raw.mean, "low": raw.low, "high": raw.high, "n": raw.clusters},
        "people": {"mean": float(np.mean(list(people.values()))), "n": len(units)},
        "corrected": asdict(corrected) if corrected else None,
    }


def _by_example(values: list[tuple[UUID, float]]) -> dict[UUID, float]:
    sums: dict[UUID, list[float]] = {}
    for example, value in values:
        sums.setdefault(example, []).append(value)
    return {example: sum(given) / len(given) for example, given in sums.items()}
