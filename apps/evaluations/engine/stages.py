"""The stages of scoring: an answered item goes through those its run's evaluators need, in this order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import IntEnum

from django.db.models import Min, Q
from django.utils import timezone

from apps.evaluations.evaluators import Place, kind
from apps.evaluations.models import EvalRun, EvaluatorVersion
from apps.providers.connection import LOCAL
from apps.providers.models import Provider


class Stage(IntEnum):
    """Where an evaluator's work is done. INLINE is part of answering, or a stage of its own where outputs are
    recorded."""

    INLINE = 0
    MEMORY = 1
    CALLS = 2
    #: Judges that are the model in a worker's memory.
    LOCAL_CALLS = 3

    @property
    def queue(self) -> str:
        return {
            Stage.INLINE: "default",
            Stage.MEMORY: "local",
            Stage.CALLS: "llm",
            Stage.LOCAL_CALLS: "local",
        }[self]


_STAGE_OF_PLACE = {Place.INLINE: Stage.INLINE, Place.MEMORY: Stage.MEMORY, Place.CALLS: Stage.CALLS}


def stage_of(version: EvaluatorVersion, local_slugs: Collection[str]) -> Stage | None:
    """The stage in which an evaluator version scores; None for what is computed when the run has ended.

    `local_slugs` are the providers of the project whose model is in the workers' memory.
    """
    stage = _STAGE_OF_PLACE.get(kind(version.evaluator.kind).place)
    if stage is Stage.CALLS and str(version.config.get("model", "")).partition("/")[0] in local_slugs:
        return Stage.LOCAL_CALLS
    return stage


def evaluators_by_stage(run: EvalRun) -> dict[Stage, list[EvaluatorVersion]]:
    """The run's evaluator versions by stage, stages in their order."""
    versions = list(run.evaluator_versions.select_related("evaluator").order_by("evaluator__slug"))
    local: Collection[str] = ()
    if any(kind(version.evaluator.kind).place is Place.CALLS for version in versions):
        local = set(
            Provider.objects.filter(project=run.project_id, kind=LOCAL).values_list("slug", flat=True)
        )
    found: dict[Stage, list[EvaluatorVersion]] = {}
    for version in versions:
        stage = stage_of(version, local)
        if stage is not None:
            found.setdefault(stage, []).append(version)
    return dict(sorted(found.items()))


def stage_after(stage: Stage, stages: Sequence[Stage]) -> Stage | None:
    """The next stage that is needed after `stage`; None when the item is then complete."""
    return next((later for later in sorted(stages) if later > stage), None)


def earliest_stage(run: EvalRun) -> Stage:
    """The first stage of scoring that an answered item waits for; those that may be worked on now go before
    those that wait for their next attempt."""
    answered, now = run.items.filter(status="answered"), timezone.now()
    free = answered.filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=now))
    for items in (free.exclude(lease_until__gt=now), answered):
        first = items.aggregate(Min("stage"))["stage__min"]
        if first is not None:
            return Stage(first)
    return Stage.INLINE
