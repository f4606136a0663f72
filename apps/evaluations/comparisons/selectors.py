"""Reading comparisons, and which runs can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet

from apps.core.models import Project
from apps.evaluations.errors import ComparisonNotFound
from apps.evaluations.models import Comparison, EvalRun
from apps.evaluations.selectors import LARGEST_NUMBER, LONGEST_SEARCH

MOST_OFFERED = 200


def comparison_list(*, project: Project, q: str = "") -> QuerySet[Comparison]:
    """The project's comparisons with their runs; `q` finds text in their names and those of their runs."""
    found = _comparisons_of(project)
    words = q.replace("\x00", "")[:LONGEST_SEARCH].strip()
    if words:
        candidates = EvalRun.objects.filter(project=project, name__icontains=words).values("pk")
        pairs = Comparison.candidates.through.objects.filter(evalrun__in=candidates)
        found = found.filter(
            Q(name__icontains=words)
            | Q(baseline__name__icontains=words)
            | Q(pk__in=pairs.values("comparison"))
        )
    return found


def comparison_get(*, project: Project, id: UUID | None = None, number: int | None = None) -> Comparison:
    """A comparison by its id or by its number in the project. Raises ComparisonNotFound."""
    comparisons = _comparisons_of(project)
    found = None
    if id is not None:
        found = comparisons.filter(pk=id).first()
    elif number is not None and 0 < number <= LARGEST_NUMBER:
        found = comparisons.filter(number=number).first()
    if found is None:
        raise ComparisonNotFound(
            f"There is no comparison {f'#{number}' if id is None else id} in {project.name}."
        )
    return found


def candidates_of(comparison: Comparison) -> list[EvalRun]:
    """The candidates in the order they were chosen in."""
    by_id = {run.pk: run for run in comparison.candidates.all()}
    return [by_id[run_id] for run_id in comparison.candidate_ids if run_id in by_id]


def runs_of(comparison: Comparison) -> list[EvalRun]:
    """The runs compared: the baseline first, then the candidates in the order they were chosen in."""
    return [comparison.baseline, *candidates_of(comparison)]


def runs_to_compare(*, project: Project, baseline: EvalRun | None = None) -> list[EvalRun]:
    """The newest runs that can be compared: with `baseline`, where one is given, so over its dataset."""
    runs = EvalRun.objects.filter(project=project).select_related(*_RUN_PARTS).order_by("-id")
    if baseline is not None:
        dataset = baseline.dataset_version.dataset_id
        runs = runs.filter(dataset_version__dataset=dataset).exclude(pk=baseline.pk)
    return list(runs[:MOST_OFFERED])


def runs_numbered(*, project: Project, numbers: Sequence[str]) -> list[EvalRun]:
    """The runs with these numbers, lowest first; what is no number of a run is left out."""
    wanted = [int(text) for text in numbers[:20] if text.isascii() and text.isdigit() and len(text) < 10]
    runs = EvalRun.objects.filter(project=project, number__in=wanted).select_related(*_RUN_PARTS)
    return list(runs.order_by("number"))


_RUN_PARTS = ("prompt_version__prompt", "dataset_version__dataset")


def _comparisons_of(project: Project) -> QuerySet[Comparison]:
    parts = [f"baseline__{name}" for name in _RUN_PARTS]
    candidates = Prefetch("candidates", EvalRun.objects.select_related(*_RUN_PARTS))
    return (
        Comparison.objects.filter(project=project)
        .select_related("project", "baseline", *parts)
        .prefetch_related(candidates)
    )
