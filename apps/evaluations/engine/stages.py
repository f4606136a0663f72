"""The stages of scoring: an answered item goes through those its run's evaluators need, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from django.db.models import Min

from apps.evaluations.evaluators import Place, kind
from apps.evaluations.models import EvalRun, EvaluatorVersion


class Stage(IntEnum):
    """Where an evaluator's work is done. INLINE is part of answering, or a stage of its own where outputs are
    recorded."""

    INLINE = 0
    MEMORY = 1
    CALLS = 2

    @property
    def queue(self) -> str:
        return {Stage.INLINE: "default", Stage.MEMORY: "local", Stage.CALLS: "llm"}[self]


_STAGE_OF_PLACE = {Place.INLINE: Stage.INLINE, Place.MEMORY: Stage.MEMORY, Place.CALLS: Stage.CALLS}


def stage_of(version: EvaluatorVersion) -> Stage | None:
    """The stage in which an evaluator version scores; None for what is computed when the run has ended."""
    return _STAGE_OF_PLACE.get(kind(version.evaluator.kind).place)


def evaluators_by_stage(run: EvalRun) -> dict[Stage, list[EvaluatorVersion]]:
    """The run's evaluator versions by stage, stages in their order."""
    versions = run.evaluator_versions.select_related("evaluator").order_by("evaluator__slug")
    found: dict[Stage, list[EvaluatorVersion]] = {}
    for version in versions:
        stage = stage_of(version)
        if stage is not None:
            found.setdefault(stage, []).append(version)
    return dict(sorted(found.items()))


def stage_after(stage: Stage, stages: Sequence[Stage]) -> Stage | None:
    """The next stage that is needed after `stage`; None when the item is then complete."""
    return next((later for later in sorted(stages) if later > stage), None)


def earliest_stage(run: EvalRun) -> Stage:
    """The first stage of scoring that an answered item of the run waits for."""
    return Stage(run.items.filter(status="answered").aggregate(Min("stage"))["stage__min"] or 0)
