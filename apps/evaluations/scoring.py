"""Scoring answered items with the run's evaluators. No writing here: `results` keeps what comes out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.evaluations.engine import WorkItem
from apps.evaluations.evaluators import Scored, ScoringInput, kind
from apps.evaluations.models import EvalRun, EvaluatorVersion

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one item; `value` None where it could not be scored, with the reason in `detail`."""

    item_id: UUID
    evaluator_version_id: UUID
    metric: str
    value: float | None
    detail: str


def run_evaluators(run: EvalRun, *, in_memory: bool) -> list[EvaluatorVersion]:
    """The run's evaluator versions that need the model in memory, or those that do not."""
    return [
        version
        for version in run.evaluator_versions.select_related("evaluator").order_by("evaluator__slug")
        if kind(version.evaluator.kind).needs_model_in_memory == in_memory
    ]


def score_items(evaluators: Sequence[EvaluatorVersion], items: Sequence[WorkItem]) -> list[Score]:
    """Each evaluator over all items (their `output` is what is scored), as one score a metric and item.

    An evaluator that breaks gives no scores but its reason: a defect in scoring is missing, not zero.
    """
    inputs = [ScoringInput(item.inputs, item.output, item.reference, item.metadata) for item in items]
    return [score for version in evaluators for score in _score(version, items, inputs)]


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
        values = outcome.values if isinstance(outcome, Scored) else {}
        detail = outcome.detail if isinstance(outcome, Scored) else outcome.reason
        scores += [
            Score(item.id, version.pk, name, values.get(metric), _storable(detail)) for metric, name in names
        ]
    return scores


def _storable(text: str) -> str:
    return text.replace("\x00", "\N{SYMBOL FOR NULL}")[:4000]
