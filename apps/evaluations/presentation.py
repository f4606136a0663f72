"""Values of examples and plans as a person reads them. Plain Python: no request, no HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from apps.evaluations.models import EvalItem, EvalRun, ItemScore
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.selectors import MetricSummary, metric_titles

_PARAMETER_NAMES = {
    "temperature": "Temperature",
    "top_p": "Top p",
    "max_tokens": "Most tokens",
    "stop": "Stop at",
    "seed": "Seed",
}


@dataclass(frozen=True, slots=True)
class Named:
    """A value with its name, both as text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """One metric of one row; `value` None where there is no score, `detail` says why or what was found."""

    name: str
    title: str
    value: float | None
    detail: str
    scored: bool


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One result as the table shows it."""

    item: EvalItem
    inputs: list[Named]
    reference: str
    scores: list[ScoreCell]


def readable(value: Any) -> str:
    """A JSON value as text: lists a line each, objects as "name: value" lines, text as it is."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_inline(item)}" for name, item in value.items())
    if isinstance(value, list):
        return "\n".join(_message_line(item) for item in value)
    return json.dumps(value, ensure_ascii=False)


def named(values: Mapping[str, Any], order: Sequence[str] = ()) -> list[Named]:
    """Each value as text under its name, in `order` as far as it goes; databases keep no order of keys."""
    first = [name for name in order if name in values]
    rest = [name for name in values if name not in first]
    return [Named(name, readable(values[name])) for name in [*first, *rest]]


def result_row(item: EvalItem, columns: Sequence[str], metrics: Sequence[MetricSummary]) -> ResultRow:
    """`columns` are the dataset's inputs in order, `metrics` the score columns of the table."""
    found: dict[tuple[str, str], list[ItemScore]] = {}
    for score in item.scores.all():
        found.setdefault((score.metric, score.source), []).append(score)
    return ResultRow(
        item=item,
        inputs=named(item.example.inputs, columns),
        reference=readable(item.example.reference),
        scores=[_cell(metric, found.get((metric.name, metric.source), [])) for metric in metrics],
    )


def _parameter(value: Any) -> str:
    """A parameter on one line; a line break in it (a stop string, say) is shown as a sign."""
    parts = value if isinstance(value, list) else [value]
    return ", ".join(readable(part).replace("\n", "↵") for part in parts)


def plan_facts(run: EvalRun) -> list[Named]:
    """The frozen plan in words: parameters, which examples, how often, under which limits."""
    facts = [
        Named(_PARAMETER_NAMES.get(name, name), _parameter(value))
        for name, value in run.parameters.items()
        if name != "model" and value not in (None, "", [], {})
    ]
    primary = planned_primary(run)
    if primary:
        title = metric_titles(run).get(primary, primary)
        facts.insert(0, Named("Primary metric", f"{title}, chosen before the run"))
    chosen = run.plan.get("examples", {})
    if chosen.get("split"):
        facts.append(Named("Split", chosen["split"]))
    if chosen.get("filter"):
        facts.append(
            Named("Only where", ", ".join(f"{n} = {_inline(v)}" for n, v in chosen["filter"].items()))
        )
    if chosen.get("limit"):
        facts.append(Named("At most", f"{chosen['limit']:,} examples"))
    if run.repetitions > 1:
        facts.append(Named("Repetitions", str(run.repetitions)))
    if run.seed is not None:
        last = run.seed + run.repetitions - 1
        seeds = f"{run.seed}" if run.repetitions == 1 else f"{run.seed} to {last}, one a repetition"
        facts.append(Named("Seed", seeds))
    if not run.recorded:
        facts.append(Named("Calls at a time", str(run.max_concurrency)))
    if run.budget_usd is not None:
        facts.append(Named("Budget", f"${run.budget_usd.normalize():f}"))
    if run.budget_tokens is not None:
        facts.append(Named("Budget of tokens", f"{run.budget_tokens:,}"))
    if run.use_cache:
        facts.append(Named("Known answers", "taken from the cache"))
    return facts


def _cell(metric: MetricSummary, scores: Sequence[ItemScore]) -> ScoreCell:
    """The mean over the raters, where there are several; their reasons one after the other."""
    values = [score.value for score in scores if score.value is not None]
    return ScoreCell(
        name=metric.name,
        title=metric.title,
        value=fmean(values) if values else None,
        detail="; ".join(score.detail for score in scores if score.detail),
        scored=bool(scores),
    )


def _inline(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _message_line(item: Any) -> str:
    if isinstance(item, Mapping) and {"role", "content"} <= set(item):
        return f"{item['role']}: {_inline(item['content'])}"
    return _inline(item)
