"""Reading trials; every query starts from the project."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Left

from apps.core.models import Project
from apps.prompts.models import Prompt
from apps.workbench.models import Trial, TrialCell, TrialScore
from apps.workbench.trials.errors import TrialNotFound

#: Of an answer, so much is shown in the table; the whole is asked for one by one.
EXCERPT = 400


def trial_get(*, project: Project, id: UUID) -> Trial:
    """Raises TrialNotFound."""
    trials = Trial.objects.filter(project=project, pk=id)
    found = trials.select_related("project", "prompt__project", "dataset_version__dataset").first()
    if found is None:
        raise TrialNotFound("There is no such trial in this project (any more).")
    return found


def trials_of(*, prompt: Prompt) -> QuerySet[Trial]:
    """The newest first."""
    return Trial.objects.filter(prompt=prompt).select_related("dataset_version__dataset").order_by("-pk")


def cells_of(trial: Trial) -> list[TrialCell]:
    """The cells with their examples, calls and scores, by position: three queries.

    Each has the `beginning` of its answer, of EXCERPT characters and one more where there are more.
    """
    cells = trial.cells.select_related("example", "call__prompt_version").defer(
        "example__search", "call__messages", "call__content", "call__inputs", "call__output"
    )
    cells = cells.annotate(beginning=Left("call__output", EXCERPT + 1))
    scores = Prefetch("call__trial_scores", queryset=TrialScore.objects.order_by("metric"))
    return list(cells.prefetch_related(scores).order_by("position", "column"))
