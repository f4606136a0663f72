"""Who uses a version: asked before it is deleted or archived."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from apps.evaluations.models import EvalRun, Evaluator, EvaluatorVersion
from apps.prompts.models import PromptLabel, PromptVersion
from apps.training.models import FineTuningJob, ModelState, ModelVersion, RegistryWork

_SHOWN = 20
Status = FineTuningJob.Status


@dataclass(frozen=True, slots=True)
class Use:
    """`blocks`: the version cannot go while this is so. `url` is empty where there is no page."""

    text: str
    url: str
    blocks: bool


def uses_of(version: ModelVersion) -> list[Use]:
    """What names the version or stands on it, what blocks first."""
    found = [*_standing_on(version), *_jobs(version), *_works(version)]
    model = version.state.model
    # The embedded model is served with or without its row in the registry.
    if model is not None and version.source != ModelVersion.Source.EMBEDDED:
        name = model.full_name
        found += [*_labels(version, name), *_runs(version), *_evaluators(version, name)]
        found += _prompts(version, name)
    return sorted(found, key=lambda use: not use.blocks)


def _standing_on(version: ModelVersion) -> list[Use]:
    children = version.children.filter(kind=ModelVersion.Kind.ADAPTER)
    alive = children.exclude(state__state=ModelState.State.DELETED).select_related("project")
    return [
        Use(f"The adapter {child.full_name} stands on its weights", version_url(child), True)
        for child in alive.order_by("-id")[:_SHOWN]
    ]


def _jobs(version: ModelVersion) -> list[Use]:
    jobs = FineTuningJob.objects.filter(project_id=version.project_id)
    begun = jobs.filter(base_version=version) | jobs.filter(base__id=str(version.pk))
    waiting = (Status.DRAFT, Status.PENDING, Status.RUNNING, Status.STOPPING, Status.REGISTERING)
    return [
        Use(
            f"The fine-tuning job {job.name} begins from it",
            _url("training:job-detail", version, number=job.number),
            job.status != Status.DRAFT,
        )
        for job in begun.filter(status__in=waiting).distinct().order_by("-id")[:_SHOWN]
    ]


def _works(version: ModelVersion) -> list[Use]:
    waiting = (RegistryWork.Status.PENDING, RegistryWork.Status.RUNNING)
    works = RegistryWork.objects.filter(project_id=version.project_id, status__in=waiting)
    found = []
    if works.filter(source=version).exists():
        found.append(Use("It is being merged", "", True))
    if works.filter(base__id=str(version.pk)).exists():
        found.append(Use("An adapter is being imported that stands on it", "", True))
    return found


def _labels(version: ModelVersion, name: str) -> list[Use]:
    labels = PromptLabel.objects.filter(
        prompt__project_id=version.project_id, prompt__archived_at=None, version__parameters__model=name
    ).select_related("prompt", "version")
    return [
        Use(
            f"The label {label.name} of the prompt {label.prompt.name} points at version "
            f"{label.version.number}, which names it",
            _url("prompts:labels", version, slug=label.prompt.slug),
            True,
        )
        for label in labels.order_by("pk")[:_SHOWN]
    ]


def _runs(version: ModelVersion) -> list[Use]:
    runs = EvalRun.objects.filter(project_id=version.project_id, model=version.state.model_id)
    alive = runs.exclude(status__in=EvalRun.TERMINAL).order_by("-id")[:_SHOWN]
    return [
        Use(
            f"The run {run.name} is under way",
            _url("evaluations:run-detail", version, number=run.number),
            True,
        )
        for run in alive
    ]


def _evaluators(version: ModelVersion, name: str) -> list[Use]:
    """Judges whose newest settings ask it."""
    newest = (
        EvaluatorVersion.objects.filter(evaluator__project_id=version.project_id, evaluator__archived_at=None)
        .order_by("evaluator_id", "-number")
        .distinct("evaluator_id")
        .values("pk")
    )
    asking = EvaluatorVersion.objects.filter(pk__in=newest, config__model=name)
    judges = Evaluator.objects.filter(pk__in=asking.values("evaluator_id")).order_by("name")[:_SHOWN]
    return [
        Use(
            f"The evaluator {judge.name} asks it to judge",
            _url("evaluations:evaluator-detail", version, slug=judge.slug),
            True,
        )
        for judge in judges
    ]


def _prompts(version: ModelVersion, name: str) -> list[Use]:
    named = PromptVersion.objects.filter(
        prompt__project_id=version.project_id, prompt__archived_at=None, parameters__model=name
    )
    count = named.count()
    if not count:
        return []
    prompts = named.values_list("prompt__name", flat=True).distinct().order_by("prompt__name")[:3]
    what = "One version" if count == 1 else f"{count:,} versions"
    verb = "names" if count == 1 else "name"
    return [Use(f"{what} of prompts {verb} it ({', '.join(prompts)})", "", False)]


def version_url(version: ModelVersion) -> str:
    return _url("training:model-detail", version, name=version.name, number=version.number)


def _url(view: str, version: ModelVersion, **kwargs: object) -> str:
    return reverse(view, kwargs={"project_slug": version.project.slug, **kwargs})
