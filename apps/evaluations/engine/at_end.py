"""Scoring at a run's end, from the scores that its items have by then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from uuid import UUID

from apps.evaluations.engine.repetitions import score_repetitions
from apps.evaluations.engine.results import scores_store
from apps.evaluations.engine.scoring import scores_of
from apps.evaluations.evaluators import Place, ScoringInput, kind
from apps.evaluations.models import EvalItem, EvalRun, EvaluatorVersion, ItemScore

CHUNK = 1_000


def at_end(versions: Sequence[EvaluatorVersion]) -> list[EvaluatorVersion]:
    """Those of `versions` that are scored when the run has ended."""
    return [version for version in versions if kind(version.evaluator.kind).place is Place.AT_END]


def score_at_end(run: EvalRun, rules: Sequence[EvaluatorVersion], metrics: Sequence[str]) -> None:
    """Score every completed item by `rules`. `metrics` are the names of the scores that items have."""
    repeated = [version for version in rules if kind(version.evaluator.kind).of_repetitions is not None]
    rules = [version for version in rules if version not in repeated]
    score_repetitions(run, repeated)
    if not rules:
        return
    others = [name for name in metrics if name not in _own_names(rules)]
    for ids in _chunks(run):
        scores = _scores_by_item(ids, others)
        inputs = [ScoringInput({}, "", scores=scores[item_id]) for item_id in ids]
        for version in rules:
            outcomes = kind(version.evaluator.kind).score_batch(inputs, version.config)
            scores_store(
                [
                    score
                    for item_id, outcome in zip(ids, outcomes, strict=True)
                    for score in scores_of(version, item_id, outcome)
                ]
            )


def _own_names(rules: Sequence[EvaluatorVersion]) -> set[str]:
    return {
        metric.name
        for version in rules
        for metric in kind(version.evaluator.kind).metrics_of(version.evaluator.slug)
    }


def _chunks(run: EvalRun) -> Iterator[list[UUID]]:
    """The ids of the completed items, some at a time."""
    items = EvalItem.objects.filter(run=run, status="completed").order_by("id").values_list("id", flat=True)
    chunk = list(items[:CHUNK])
    while chunk:
        yield chunk
        chunk = list(items.filter(id__gt=chunk[-1])[:CHUNK])


def _scores_by_item(ids: Sequence[UUID], metrics: Sequence[str]) -> dict[UUID, dict[str, float | None]]:
    """Item → metric → its value (several raters are averaged), None where the item has none."""
    found: dict[UUID, dict[str, list[float]]] = {item_id: defaultdict(list) for item_id in ids}
    rows = ItemScore.objects.filter(item__in=list(ids), metric__in=list(metrics), value__isnull=False)
    for item_id, metric, value in rows.values_list("item_id", "metric", "value"):
        found[item_id][metric].append(value or 0.0)
    return {
        item_id: {
            name: sum(values[name]) / len(values[name]) if values.get(name) else None for name in metrics
        }
        for item_id, values in found.items()
    }
