"""Scoring answered items with the run's evaluators. No writing here: `results` keeps what comes out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.evaluations.engine.work import WorkItem
from apps.evaluations.evaluators import Outcome, Scored, ScoringInput, kind
from apps.evaluations.models import EvaluatorVersion

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one item; `value` None where it could not be scored, with the reason in `detail`."""

    item_id: UUID
    evaluator_version_id: UUID
    metric: str
    value: float | None
    detail: str
    label: str = ""
    statistics: Any = None


def score_items(evaluators: Sequence[EvaluatorVersion], items: Sequence[WorkItem]) -> list[Score]:
    """Each evaluator over all items (their `output` is what is scored), as one score a metric and item.

    An evaluator that breaks gives no scores but its reason: a defect in scoring is missing, not zero.
    """
    inputs = [scoring_input(item) for item in items]
    return [score for version in evaluators for score in _score(version, items, inputs)]


def scoring_input(item: WorkItem) -> ScoringInput:
    """What an evaluator sees of an answered item."""
    return ScoringInput(
        inputs=item.inputs,
        output=item.output,
        reference=item.reference,
        metadata=item.metadata,
        tool_calls=item.tool_calls,
        latency_ms=item.latency_ms,
        cost_usd=None if item.cost_usd is None else float(item.cost_usd),
        input_tokens=item.input_tokens,
        output_tokens=item.output_tokens,
        finish_reason=item.finish_reason,
        messages=item.rendered,
    )


def _score(
    version: EvaluatorVersion, items: Sequence[WorkItem], inputs: Sequence[ScoringInput]
) -> list[Score]:
    evaluator_kind, slug = kind(version.evaluator.kind), version.evaluator.slug
    names = [
        (metric.name, evaluator_kind.metric_name(slug, metric.name)) for metric in evaluator_kind.metrics
    ]
    try:
        outcomes = evaluator_kind.score_batch(inputs, version.config)
    except Exception as exc:
        log.exception("The evaluator %s failed", version)
        reason = f"The evaluator {version} failed: {type(exc).__name__}: {exc}"[:1000]
        return [Score(item.id, version.pk, name, None, reason) for item in items for _, name in names]
    scores = []
    for item, outcome in zip(items, outcomes, strict=True):
        scores += scores_of(version, item.id, outcome)
    return scores


def scores_of(version: EvaluatorVersion, item_id: UUID, outcome: Outcome) -> list[Score]:
    """What an evaluator said of one item, as one score for each of its metrics."""
    evaluator_kind, slug = kind(version.evaluator.kind), version.evaluator.slug
    names = [
        (metric.name, evaluator_kind.metric_name(slug, metric.name)) for metric in evaluator_kind.metrics
    ]
    if not isinstance(outcome, Scored):
        return [Score(item_id, version.pk, name, None, _storable(outcome.reason)) for _, name in names]
    return [
        Score(
            item_id,
            version.pk,
            name,
            outcome.values.get(metric),
            _storable(outcome.detail),
            label=_storable(outcome.label)[:200],
            # What the whole run's metrics need is kept once, beside the first of them.
            statistics=outcome.statistics if place == 0 else None,
        )
        for place, (metric, name) in enumerate(names)
    ]


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{SYMBOL FOR NULL}")[:4000]
