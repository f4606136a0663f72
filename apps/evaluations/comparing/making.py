"""Making the figures of a comparison, in a worker."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.core.cache import cache
from django.utils import timezone

from apps.evaluations.comparing.distributions import distributions_part
from apps.evaluations.comparing.made_of import made_of
from apps.evaluations.comparing.metrics import metrics_part
from apps.evaluations.comparing.preferences import preferences_part
from apps.evaluations.comparing.slices import slices_part
from apps.evaluations.comparisons.figures import runs_ended
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.models import Comparison, ComparisonFigures, EvalRun
from apps.evaluations.statistics import continuous

log = logging.getLogger(__name__)

Part = ComparisonFigures.Part
LONGEST_ERROR = 2_000
#: Workers that may begin with one part and be killed by it (no memory left, say) before it counts as failed.
#: Then it waits as what failed otherwise: for a person, or some minutes.
MOST_ATTEMPTS, ATTEMPTS_KEPT_S = 3, 3_600
GIVEN_UP = (
    f"The statistics could not be computed: {MOST_ATTEMPTS} workers began and ended before they were done, "
    "perhaps for lack of memory. Give workers more of it, or compare fewer or shorter runs."
)
#: Makes one part: of the comparison, the baseline, the other runs in their order, and the column.
Maker = Callable[[Comparison, EvalRun, list[EvalRun], str], dict[str, Any]]
MAKERS: dict[str, Maker] = {
    Part.METRICS: metrics_part,
    Part.DISTRIBUTIONS: distributions_part,
    Part.SLICES: slices_part,
    Part.PREFERENCES: preferences_part,
}


def figures_make(comparison_id: UUID, baseline_id: UUID, part: str, column: str) -> None:
    """Make and keep one part of the runs that have ended, unless it was made of this very state.

    Without the baseline, or without any candidate, there is nothing to make yet.

    What could not be made of this state is tried again: who asks has a reason to.
    """
    comparison = (
        Comparison.objects.select_related("baseline__dataset_version")
        .prefetch_related("candidates__dataset_version")
        .filter(pk=comparison_id)
        .first()
    )
    runs = runs_of(comparison) if comparison else []
    baseline = next((run for run in runs if run.pk == baseline_id), None)
    if comparison is None or baseline is None:
        return
    kept = comparison.figures.filter(baseline=baseline, part=part, column=column)
    state = made_of(comparison, runs)
    ended = runs_ended(runs, baseline)
    if not ended or kept.filter(made_of=state, error="").exists():
        kept.update(asked_at=None)
        return
    figures, error = _attempted(state, comparison, baseline, ended[1:], part, column)
    ComparisonFigures.objects.update_or_create(
        comparison=comparison,
        baseline=baseline,
        part=part,
        column=column,
        defaults={
            "figures": figures,
            "error": error,
            "made_of": state,
            "made_at": timezone.now(),
            "asked_at": None,
        },
    )


def _attempted(
    state: str, comparison: Comparison, baseline: EvalRun, candidates: list[EvalRun], part: str, column: str
) -> tuple[dict[str, Any] | None, str]:
    """The figures or why there are none; given up where workers began with this state and never ended."""
    told = hashlib.sha256(f"{comparison.pk} {baseline.pk} {part} {state} {column}".encode()).hexdigest()
    attempt = f"figures:{told}"
    if _begun(attempt) > MOST_ATTEMPTS:
        found: tuple[dict[str, Any] | None, str] = (None, GIVEN_UP)
    else:
        found = _made(comparison, baseline, candidates, part, column)
    try:
        cache.delete(attempt)
    except Exception as error:  # whatever the cache's client raises
        log.warning("The cache is away, so attempts are not counted: %s", error)
    return found


def _begun(attempt: str) -> int:
    """How many workers have begun with it and not come to an end, this one included; 1 without the cache."""
    try:
        cache.add(attempt, 0, ATTEMPTS_KEPT_S)
        return int(cache.incr(attempt))
    except Exception as error:  # whatever the cache's client raises
        log.warning("The cache is away, so attempts are not counted: %s", error)
        return 1


def _made(
    comparison: Comparison, baseline: EvalRun, candidates: list[EvalRun], part: str, column: str
) -> tuple[dict[str, Any] | None, str]:
    try:
        figures = MAKERS[part](comparison, baseline, candidates, column)
        json.dumps(figures, allow_nan=False)  # the database keeps no infinities, and would refuse for ever
        return figures, ""
    except Exception as exc:
        log.exception("The %s of comparison %s could not be computed", part, comparison.pk)
        reason = f"{type(exc).__name__}: {exc}".replace("\x00", "")[:LONGEST_ERROR]
        return None, f"The statistics could not be computed: {reason}"
    finally:
        continuous.forget_draws()
