"""Making comparisons. Workers make their figures: see `figures`."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Max

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.models import Project
from apps.evaluations.comparisons.figures import figures_ask
from apps.evaluations.errors import NotComparable
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.selectors import deciding_metrics

MOST_CANDIDATES = 9


def comparison_create(
    *,
    project: Project,
    by: Actor,
    baseline: EvalRun,
    candidates: Sequence[EvalRun],
    primary_metric: str = "",
    name: str = "",
) -> Comparison:
    """Compare `candidates` with `baseline`. The primary metric defaults to the one that was chosen before the
    baseline's run, where all of them have it, else to the first that all have.

    Raises NotComparable when the runs are not over the same dataset, are the same, or are too many.
    """
    _check(baseline, candidates)
    primary_metric = _primary(baseline, candidates, primary_metric)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # one number each
        numbers = Comparison.objects.filter(project=project).aggregate(Max("number"))
        number = (numbers["number__max"] or 0) + 1
        comparison = Comparison.objects.create(
            project=project,
            number=number,
            name=name.strip()[:200]
            or f"{', '.join(run.name for run in candidates)} against {baseline.name}"[:200],
            baseline=baseline,
            candidate_ids=[run.pk for run in candidates],
            primary_metric=primary_metric,
            **Comparison.author_fields(by),
        )
        comparison.candidates.set(candidates)
        audit(
            by,
            "comparison.create",
            comparison,
            project=project,
            after={"baseline": baseline.name, "candidates": [run.name for run in candidates]},
        )
        figures_ask(comparison, baseline.pk)
    return comparison


def _check(baseline: EvalRun, candidates: Sequence[EvalRun]) -> None:
    if not candidates:
        raise NotComparable(
            "Choose at least one run to compare with the baseline.", fields=_at_candidates("Choose one.")
        )
    if len(candidates) > MOST_CANDIDATES:
        text = f"A comparison takes up to {MOST_CANDIDATES} candidates."
        raise NotComparable(text, fields=_at_candidates(text))
    ids = [run.pk for run in candidates]
    if baseline.pk in ids or len(set(ids)) < len(ids):
        text = "A run is compared with other runs, each named once."
        raise NotComparable(text, fields=_at_candidates(text))
    dataset = baseline.dataset_version.dataset
    for run in candidates:
        if run.dataset_version.dataset_id != dataset.pk:
            text = (
                f"{run.name} ran over {run.dataset_version.dataset.name}, {baseline.name} over "
                f"{dataset.name}. Runs are compared over the same dataset."
            )
            raise NotComparable(text, fields=_at_candidates(text))


def _primary(baseline: EvalRun, candidates: Sequence[EvalRun], wanted: str) -> str:
    shared = deciding_metrics(baseline)
    for run in candidates:
        names = set(deciding_metrics(run))
        shared = [name for name in shared if name in names]
    if not wanted:
        planned = planned_primary(baseline)
        return planned if planned in shared else next(iter(shared), "")
    if wanted not in shared:
        text = f"Not all of these runs measure {wanted!r}; they share: {', '.join(shared) or 'none'}."
        raise NotComparable(text, fields={"primary_metric": [text]})
    return wanted


def _at_candidates(text: str) -> dict[str, list[str]]:
    return {"candidates": [text]}
