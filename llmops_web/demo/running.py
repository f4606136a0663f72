"""The demo: makes what is missing, runs the A/B on the embedded model, and prints the comparison.

Everything goes through the services that a person's clicks go through, and the workers do the work.
A second time finds what is there and makes nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile

from apps.core.actor import Actor
from apps.core.models import Project
from apps.core.projects import project_create
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.selectors import latest_version
from apps.datasets.services.datasets import dataset_create
from apps.datasets.services.imports import import_preview, import_start, import_upload
from apps.evaluations.comparisons.figures import figures_state
from apps.evaluations.comparisons.selectors import comparison_get
from apps.evaluations.comparisons.services import comparison_create
from apps.evaluations.evaluator_services import evaluator_create
from apps.evaluations.models import Comparison, EvalRun, Evaluator, EvaluatorVersion
from apps.evaluations.run_plan import frozen_metrics
from apps.evaluations.run_services import RunRequest, eval_run_create
from apps.evaluations.version_scores import PRODUCTION
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.services import prompt_create, prompt_version_create
from llmops_web.demo import content
from llmops_web.demo.report import comparison_lines, progress_line

BY = Actor.system("demo")
Say = Callable[[str], None]
POLL_S = 0.5


@dataclass(frozen=True)
class Demo:
    """What the demo consists of, once all of it is there."""

    project: Project
    runs: tuple[EvalRun, ...]
    comparison: Comparison


class DemoFailed(Exception):
    """A run or the comparison did not come to its end; the message says why."""


def run_demo(say: Say) -> Demo:
    """Make, run, compare and tell; returns when the comparison is there. Raises DemoFailed."""
    project = demo_project()
    versions, data = prompt_versions(project), sentences(project)
    made = evaluators(project)
    runs = tuple(_run(project, version, data, made) for version in versions)
    follow(runs, say)
    comparison = _comparison(project, *runs)
    for line in comparison_lines(computed(comparison), runs):
        say(line)
    return Demo(project, runs, comparison)


def demo_project() -> Project:
    return Project.objects.filter(slug=content.PROJECT_SLUG).first() or project_create(
        by=BY, name=content.PROJECT_NAME, slug=content.PROJECT_SLUG
    )


def prompt_versions(project: Project) -> list[PromptVersion]:
    found = Prompt.objects.filter(project=project, slug=content.PROMPT_SLUG).first()
    prompt = found or prompt_create(
        project=project, by=BY, name=content.PROMPT_NAME, slug=content.PROMPT_SLUG
    )
    there = {version.number: version for version in prompt.versions.all()}
    versions = [
        there.get(number)
        or prompt_version_create(
            prompt=prompt, by=BY, messages=messages, parameters=content.PARAMETERS, commit_message=note
        )
        for number, (note, messages) in enumerate(content.VERSIONS, start=1)
    ]
    if found is None:  # what the chat and applications run until somebody decides otherwise
        label_set(prompt=prompt, by=BY, name=PRODUCTION, version=versions[0])
    return versions


def sentences(project: Project) -> DatasetVersion:
    """The 72 sentences that prompts and models are compared on."""
    dataset = Dataset.objects.filter(project=project, slug=content.DATASET_SLUG).first() or dataset_create(
        project=project, by=BY, name=content.DATASET_NAME, slug=content.DATASET_SLUG
    )
    return first_version(dataset, content.SENTENCES, content.MAPPING, "Sentences written for the demo")


def first_version(dataset: Dataset, path: Path, mapping: Mapping, note: str) -> DatasetVersion:
    """Version 1 of a dataset, imported from a file of the demo where it is not there. Raises DemoFailed."""
    first = dataset.versions.filter(number=1).first()
    if first is not None:
        return first
    file = ContentFile(path.read_bytes(), name=path.name)
    job = import_upload(dataset=dataset, by=BY, file=file, filename=path.name)
    seen, _ = import_preview(job)
    import_start(job=job, by=BY, seen=seen, mapping=mapping, note=note)
    made = latest_version(dataset)
    if made is None:
        raise DemoFailed(f"The demo's {path.name} could not be imported.")
    return made


def evaluators(project: Project) -> list[EvaluatorVersion]:
    found = []
    for name, kind, config in content.EVALUATORS:
        evaluator = Evaluator.objects.filter(project=project, name=name).first() or evaluator_create(
            project=project, by=BY, name=name, kind=kind, config=config
        )
        found.append(evaluator.versions.select_related("evaluator").order_by("number")[0])
    return found


def _run(
    project: Project, version: PromptVersion, data: DatasetVersion, made: list[EvaluatorVersion]
) -> EvalRun:
    """The demo's run of a version: the one that is there unless it was ended early, else a new one."""
    there = EvalRun.objects.filter(project=project, prompt_version=version, dataset_version=data)
    good = there.exclude(status__in=("failed", "cancelled")).order_by("number").first()
    if good is not None:
        return good
    request = RunRequest(
        name=f"{content.PROMPT_NAME} v{version.number}",
        dataset_version=data,
        prompt_version=version,
        evaluators=made,
        primary_metric=frozen_metrics(made)[0]["name"],
    )
    return eval_run_create(project=project, by=BY, request=request)


def follow(runs: tuple[EvalRun, ...], say: Say) -> None:
    """Wait for the runs, telling how they go whenever something has changed."""
    told = ""
    while True:
        for run in runs:
            run.refresh_from_db(
                fields=["status", "status_reason", "started_at", "finished_at", "finalized_at"]
            )
        line = progress_line(runs)
        if line != told:
            say(line)
            told = line
        for run in runs:
            if run.status in ("failed", "cancelled", "paused"):
                raise DemoFailed(f"{run.name} is {run.status}. {run.status_reason}")
        if all(run.finalized_at for run in runs):
            return
        time.sleep(POLL_S)


def _comparison(project: Project, baseline: EvalRun, candidate: EvalRun) -> Comparison:
    there = Comparison.objects.filter(project=project, baseline=baseline, candidate_ids=[candidate.pk])
    return there.order_by("number").first() or comparison_create(
        project=project,
        by=BY,
        baseline=baseline,
        candidates=[candidate],
        primary_metric=content.PRIMARY,
        name="Three worked examples against zero-shot",
    )


def computed(comparison: Comparison) -> dict[str, Any]:
    while True:
        comparison = comparison_get(project=comparison.project, id=comparison.pk)
        state = figures_state(comparison, comparison.baseline, "metrics")
        if state.error:
            raise DemoFailed(state.error)
        if state.figures is not None and not state.waiting:
            return state.figures
        time.sleep(POLL_S)
