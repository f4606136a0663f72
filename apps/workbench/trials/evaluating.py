"""Which evaluators can score one row, and on which workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.core.models import Project
from apps.evaluations.engine.stages import Stage, stage_of
from apps.evaluations.evaluators import Place, kind
from apps.evaluations.evaluators.pairwise import RUN
from apps.evaluations.models import Evaluator, EvaluatorVersion
from apps.evaluations.run_requests import evaluator_versions
from apps.providers.connection import LOCAL
from apps.providers.models import Provider
from apps.workbench.trials.errors import InvalidTrial

#: The queue of each stage when a person waits for a few rows.
QUEUES = {
    Stage.INLINE: "default",
    Stage.CALLS: "interactive",
    Stage.MEMORY: "local",
    Stage.LOCAL_CALLS: "local",
}
#: What is quick goes first; what runs on the same queue goes together.
ORDER = tuple(QUEUES)


@dataclass(frozen=True, slots=True)
class Choice:
    """An evaluator on offer; `why_not` says why it cannot score one row, "" when it can."""

    slug: str
    name: str
    kind: str
    why_not: str
    asks_model: bool


def evaluator_choices(*, project: Project) -> list[Choice]:
    """The project's evaluators in use, by name."""
    slugs = list(Evaluator.objects.filter(project=project, archived_at=None).values_list("slug", flat=True))
    versions = evaluator_versions(project=project, slugs=slugs)
    found = [
        Choice(
            slug=version.evaluator.slug,
            name=version.evaluator.name,
            kind=kind(version.evaluator.kind).title,
            why_not=why_not_one_row(version),
            asks_model=kind(version.evaluator.kind).place is Place.CALLS,
        )
        for version in versions
    ]
    return sorted(found, key=lambda choice: choice.name.casefold())


def why_not_one_row(version: EvaluatorVersion) -> str:
    """Why this evaluator cannot score a single answer; "" when it can."""
    of = kind(version.evaluator.kind)
    if of.place is Place.AT_END:
        return "It looks at a whole run, or at what other evaluators said."
    if of.by_calls is not None and of.by_calls.votes and version.config.get("against") == RUN:
        return "It compares with another run."
    return ""


def chosen_evaluators(*, project: Project, slugs: Sequence[str]) -> list[EvaluatorVersion]:
    """The newest version of each. Raises InvalidInput for unknown ones, InvalidTrial for those that need more
    than one row.
    """
    versions = evaluator_versions(project=project, slugs=slugs)
    for version in versions:
        if why := why_not_one_row(version):
            text = f"{version.evaluator.name} cannot score one row. {why} Choose it in a full run."
            raise InvalidTrial(text, fields={"evaluators": [text]})
    return versions


def stages_of(*, project_id: UUID, versions: Sequence[EvaluatorVersion]) -> dict[EvaluatorVersion, Stage]:
    """Where each of the versions scores, in the order of the stages."""
    slugs = set(Provider.objects.filter(project=project_id, kind=LOCAL).values_list("slug", flat=True))
    stages = {version: stage_of(version, slugs) for version in versions}
    return {v: s for wanted in ORDER for v, s in stages.items() if s is wanted}
