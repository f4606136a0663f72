"""Runs made by the services and driven slice by slice, as the workers do, in the test's own process."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.models import Project
from apps.datasets.importers.mapping import Mapping
from apps.datasets.models import DatasetVersion
from apps.datasets.selectors import latest_version
from apps.datasets.services.datasets import dataset_create
from apps.datasets.services.imports import import_preview, import_start, import_upload
from apps.evaluations.engine import driving, finalizing, scoring_slices
from apps.evaluations.engine.stages import earliest_stage
from apps.evaluations.models import EvalRun, EvaluatorVersion
from apps.evaluations.run_services import (
    RunRequest,
    eval_run_create,
)
from apps.prompts.models import PromptVersion
from apps.prompts.services import prompt_create, prompt_version_create
from apps.providers.models import Provider

BY = Actor.system("tests")


def make_prompt(project: Project, model: str, content: str = "{{ word }}") -> PromptVersion:
    return prompt_version_create(
        prompt=prompt_create(project=project, by=BY, name=f"Prompt for {model}"),
        by=BY,
        messages=[{"role": "user", "content": content}],
        parameters={"model": model},
    )


def make_dataset(project: Project, rows: list[str]) -> DatasetVersion:
    dataset = dataset_create(project=project, by=BY, name="Words")
    file = ContentFile("\n".join(["word,expected,odd", *rows]).encode(), name="words.csv")
    job = import_upload(dataset=dataset, by=BY, file=file, filename="words.csv")
    seen, _ = import_preview(job)
    mapping = Mapping(inputs=["word"], reference="expected", metadata=["odd"])
    import_start(job=job, by=BY, seen=seen, mapping=mapping)
    version = latest_version(dataset)
    assert version is not None
    return version


def make_run(
    words: DatasetVersion, prompt: PromptVersion, *evaluators: EvaluatorVersion, **more: Any
) -> EvalRun:
    request = RunRequest(
        name="a run", dataset_version=words, prompt_version=prompt, evaluators=evaluators, **more
    )
    return eval_run_create(project=prompt.prompt.project, by=BY, request=request)


def drive(run: EvalRun, *, slices: int = 50) -> EvalRun:
    """What the workers do, one slice after the other, until the run has ended."""
    for _ in range(slices):
        run.refresh_from_db()
        if run.is_terminal or run.status == "paused":
            break
        if run.items.filter(status="pending").exists():
            run.items.filter(next_attempt_at__gt=timezone.now()).update(next_attempt_at=timezone.now())
            driving.drive_run(run.pk, run.driver_token)
        else:
            scoring_slices.score_run(run.pk, run.driver_token, int(earliest_stage(run)))
    finalizing.finalize_run(run.pk)
    run.refresh_from_db()
    return run


def priced(provider: Provider, per_million: int) -> None:
    provider.models.update(input_price=per_million, output_price=per_million)
