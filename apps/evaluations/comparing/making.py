"""Making the figures of a comparison, in a worker."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

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
    figures, error = _made(comparison, baseline, ended[1:], part, column)
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
