"""Steps that the tests of judges share: a project with a model, a dataset and a run, driven to its end."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from apps.core.actor import Actor
from apps.core.models import Project
from apps.evaluations.engine import driving, finalizing, scoring_slices
from apps.evaluations.engine.stages import earliest_stage
from apps.evaluations.evaluator_services import evaluator_create
from apps.evaluations.models import EvalItem, EvalRun, EvaluatorVersion
from apps.evaluations.run_services import RunRequest, eval_run_create
from apps.prompts.models import PromptVersion
from apps.prompts.services import prompt_create, prompt_version_create
from apps.providers.models import Provider
from apps.providers.services import ProviderSettings, provider_create
from tests.factories.evaluations import make_dataset_version
from tests.loopback_provider import LoopbackProvider

BY = Actor.system("tests")


def make_loop(project: Project, server: LoopbackProvider) -> Provider:
    """A provider of the server on loopback, whose model has a price."""
    settings = ProviderSettings(name="Loop", base_url=server.base_url, max_concurrency=16)
    provider = provider_create(
        project=project, by=BY, kind="openai", settings=settings, api_key=server.api_key
    )
    provider.models.create(name="loop-small", input_price=2, output_price=10)
    return provider


def make_fake(project: Project) -> Provider:
    return provider_create(project=project, by=BY, kind="fake", settings=ProviderSettings(name="Fake"))


def make_evaluator(project: Project, kind: str, name: str = "", **config: Any) -> EvaluatorVersion:
    evaluator = evaluator_create(project=project, by=BY, name=name or kind, kind=kind, config=config)
    return evaluator.versions.get()


def make_prompt(project: Project, model: str = "fake/echo") -> PromptVersion:
    return prompt_version_create(
        prompt=prompt_create(project=project, by=BY, name=f"Answers of {model}"),
        by=BY,
        messages=[{"role": "user", "content": "{{ question }}"}],
        parameters={"model": model},
    )


def start_run(
    project: Project, *evaluators: EvaluatorVersion, size: int = 4, model: str = "fake/echo", **more: Any
) -> EvalRun:
    request = RunRequest(
        name="judged",
        dataset_version=more.pop("dataset_version", None) or make_dataset_version(project, size),
        prompt_version=more.pop("prompt_version", None) or make_prompt(project, model),
        evaluators=evaluators,
        **more,
    )
    return eval_run_create(project=project, by=BY, request=request)


def drive(run: EvalRun, *, slices: int = 60, until: Callable[[EvalRun], bool] = lambda run: False) -> EvalRun:
    """What the workers do, one slice after the other, until the run has ended or waits for a person."""
    for _ in range(slices):
        run.refresh_from_db()
        if run.is_terminal or run.status == "paused" or until(run):
            break
        waiting = EvalItem.objects.filter(run=run, next_attempt_at__gt=timezone.now())
        waiting.update(next_attempt_at=timezone.now())
        if run.items.filter(status="pending").exists():
            driving.drive_run(run.pk, run.driver_token)
        else:
            scoring_slices.score_run(run.pk, run.driver_token, int(earliest_stage(run)))
    finalizing.finalize_run(run.pk)
    run.refresh_from_db()
    return run


def shown(body: dict[str, Any], tag: str) -> str:
    """What a judge was shown between the tags, from the request's last message."""
    found = re.search(rf"<{tag}>\n(.*?)\n</{tag}>", body["messages"][-1]["content"], re.DOTALL)
    assert found is not None, body
    return found[1]


def verdict(**answer: Any) -> str:
    return json.dumps({"reason": "Because.", **answer})
