"""Passes if: a weighted verdict over several other metrics, for each item and for the whole run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .base import (
    Config,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
    JsonSchema,
    MetricSpec,
    Outcome,
    Place,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .settings import choice, number
from .whole_run import RunMetricName, Totals, WholeRun

MOST_CONDITIONS = 20
COMPARISONS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}
ROUNDING = 1e-9  # 0.1 + 0.2 is at most 0.3


@dataclass(frozen=True, slots=True)
class Condition:
    """What one metric must be, and how much it counts."""

    metric: str
    comparison: str
    value: float
    weight: float

    def holds(self, given: float) -> bool:
        match self.comparison:
            case "at_least":
                return given >= self.value - ROUNDING
            case "at_most":
                return given <= self.value + ROUNDING
            case "above":
                return given > self.value + ROUNDING
            case _:
                return given < self.value - ROUNDING

    def __str__(self) -> str:
        return f"{self.metric} {COMPARISONS[self.comparison]} {self.value:g}"


def conditions_schema(title: str, description: str) -> JsonSchema:
    """A list of conditions; a form draws it as a table."""
    return {
        "type": "array",
        "title": title,
        "description": description,
        "maxItems": MOST_CONDITIONS,
        "default": [],
        "items": {
            "type": "object",
            "properties": {
                "metric": {"type": "string", "minLength": 1, "maxLength": 120},
                "comparison": {
                    "type": "string",
                    "enum": list(COMPARISONS),
                    "x-enum-titles": list(COMPARISONS.values()),
                },
                "value": {"type": "number", "minimum": -1e12, "maximum": 1e12},
                "weight": {"type": "number", "minimum": 0, "maximum": 1000, "default": 1},
            },
            "required": ["metric", "comparison", "value"],
            "additionalProperties": False,
        },
    }


def conditions_of(entries: Sequence[Mapping[str, Any]]) -> list[Condition]:
    return [
        Condition(entry["metric"], entry["comparison"], entry["value"], entry.get("weight", 1))
        for entry in entries
    ]


@dataclass(frozen=True, slots=True)
class Weighing:
    """How far conditions hold: the weight of those that do as a share of all weights."""

    share: float
    failed: list[Condition]
    unknown: list[str]


def weigh(conditions: Sequence[Condition], given: Mapping[str, float | None], *, leave_out: bool) -> Weighing:
    """`given` by metric; a metric without a value counts as not met, or with `leave_out` not at all."""
    unknown = [one.metric for one in conditions if given.get(one.metric) is None]
    counted = [one for one in conditions if not (leave_out and one.metric in unknown)]
    failed = [one for one in counted if (value := given.get(one.metric)) is None or not one.holds(value)]
    total = sum(one.weight for one in counted)
    met = total - sum(one.weight for one in failed)
    return Weighing(met / total if total else 0.0, failed, unknown)


def _passes_if(config: Config) -> Scorer:
    conditions = conditions_of(config["conditions"])
    _check(config, conditions)

    def score(item: ScoringInput) -> Outcome:
        if not conditions:
            return Unscored("The rule has conditions for the whole run only.")
        absent = [one.metric for one in conditions if one.metric not in item.scores]
        if absent:
            have = ", ".join(item.scores) or "none"
            return Unscored(f"There is no metric “{absent[0]}”. There are: {have}.")
        weighed = weigh(conditions, item.scores, leave_out=config["missing"] == "leave_out")
        if weighed.unknown and (config["missing"] == "unscored" or len(weighed.unknown) == len(conditions)):
            return Unscored(f"There is no score of {', '.join(weighed.unknown)}.")
        passed = weighed.share >= config["needed"] - ROUNDING
        told = f"Not met: {'; '.join(map(str, weighed.failed))}." if weighed.failed else "All are met."
        statistics = {"items": 1, "passed": int(passed)}
        return Scored({"passed": float(passed)}, f"{weighed.share:.0%}. {told}", statistics=statistics)

    return each(score)


def _check(config: Config, conditions: Sequence[Condition]) -> None:
    of_run = conditions_of(config["run_conditions"])
    if not conditions and not of_run:
        raise InvalidEvaluatorConfig({"conditions": ["Give at least one condition."]})
    for name, several in (("conditions", conditions), ("run_conditions", of_run)):
        if several and not any(one.weight for one in several):
            raise InvalidEvaluatorConfig({name: ["At least one weight must be above 0."]})


def _of_run(totals: Totals, config: Config) -> tuple[float | None, Weighing | None]:
    """The share of items that passed (None without any), and how far the run's own conditions hold."""
    items, given = totals.get("items", 0.0), dict[str, float | None]()
    rate = totals.get("passed", 0.0) / items if items else None
    for key, value in totals.items():
        if isinstance(key, RunMetricName):
            given[key.name] = value
    conditions = conditions_of(config["run_conditions"])
    return rate, weigh(conditions, given, leave_out=False) if conditions else None


def _run_verdict(totals: Totals, config: Config) -> Mapping[str, float | None]:
    rate, weighed = _of_run(totals, config)
    if config["conditions"] and rate is None:
        return {"run": None}
    enough = rate is None or rate >= config["run_needed"] - ROUNDING
    holds = weighed is None or weighed.share >= config["needed"] - ROUNDING
    return {"run": float(enough and holds)}


def _run_told(totals: Totals, config: Config) -> Mapping[str, Mapping[str, Any]]:
    rate, weighed = _of_run(totals, config)
    parts = []
    if rate is not None:
        parts.append(f"{rate:.1%} of the items pass, {config['run_needed']:.1%} are needed")
    if weighed is not None:
        failed = f"; not met: {', '.join(map(str, weighed.failed))}" if weighed.failed else ""
        parts.append(f"the run's own conditions hold to {weighed.share:.0%}{failed}")
    reason = ". ".join(part[:1].upper() + part[1:] for part in parts)
    return {"run": {"reason": f"{reason}."}}


PASSES_IF = EvaluatorKind(
    name="passes_if",
    title="Passes if",
    description="A verdict over other metrics: an item passes (1, else 0) when the conditions it meets have "
    "enough weight, and the run passes when enough items do and its own figures meet the conditions for "
    "it. It "
    "is computed when the run has ended.",
    config_schema=config_object(
        {
            "conditions": conditions_schema(
                "An item passes if", "Each names a metric by the name under which its scores are kept."
            ),
            "needed": number(
                "Share of weight that must hold",
                "1: every condition. 0.5: conditions with half of all weight. For items and for the run.",
                low=0,
                high=1,
                default=1,
            ),
            "missing": choice(
                "Where a metric has no score",
                "What an item counts as that one of the metrics could not be scored for.",
                {
                    "unscored": "the item has no verdict",
                    "fails": "the condition is not met",
                    "leave_out": "the condition is left out",
                },
            ),
            "run_needed": number(
                "Share of items that must pass",
                "For the run to pass: 1 is all of them.",
                low=0,
                high=1,
                default=1,
            ),
            "run_conditions": conditions_schema(
                "And the run passes if",
                "About means and figures of the whole run, such as bleu.corpus. May stay empty.",
            ),
        }
    ),
    metrics=(MetricSpec("passed", "Passes", "higher", "binary", 0.0, 1.0),),
    make_scorer=_passes_if,
    group=Group.RULES,
    place=Place.AT_END,
    also_needs="evaluators that give the metrics it names, in the same run",
    whole_run=WholeRun(
        metrics=(MetricSpec("run", "The run passes", "higher", "binary", 0.0, 1.0, level="run"),),
        score=_run_verdict,
        describe=_run_told,
    ),
)
