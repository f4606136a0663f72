"""Planning a job: a draft that is changed until it is started; starting it once its checks are through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.dispatch import enqueue
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.feedback.models import TrainingSet
from apps.prompts.models import PromptVersion
from apps.training.models import FineTuningJob
from apps.training.planning.errors import ChecksFailed, JobStarted
from apps.training.planning.judging import blocking, made_of
from apps.training.planning.plans import SAMPLES_CHOSEN, JobPlan, plan_read
from apps.training.planning.presets import BALANCED
from apps.training.running.services import job_start

CHECK_TASK = "worker.training.check_job"
#: A message that nobody took is sent again after this.
PATIENCE = timedelta(seconds=30)
_SWEPT_AT_ONCE = 50
Status = FineTuningJob.Status


def job_create(
    *,
    project: Project,
    by: Actor,
    name: str,
    base: Mapping[str, Any],
    training_set: TrainingSet | None = None,
    dataset_version: DatasetVersion | None = None,
    prompt_version: PromptVersion | None = None,
    method: str = "",
    technique: str = "",
    preset: str = BALANCED,
    settings: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    sample_prompts: Sequence[Any] | None = None,
    seed: int = 42,
) -> FineTuningJob:
    """A draft, whose data a worker checks. `training_set` is frozen; a dataset without one is rendered by
    `prompt_version`, for SFT. `settings` go before those of the preset. Raises InvalidInput."""
    plan = plan_read(
        project,
        name=name,
        base=base,
        training_set=training_set,
        dataset_version=dataset_version,
        prompt_version=prompt_version,
        method=method,
        technique=technique,
        preset=preset,
        settings=settings,
        sweep=sweep,
        evaluation=evaluation,
        sample_prompts=sample_prompts,
        seed=seed,
    )
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # one number at a time
        last = FineTuningJob.objects.filter(project=project).aggregate(last=Max("number"))["last"]
        job = FineTuningJob(
            project=project, number=(last or 0) + 1, **plan.as_fields(), **FineTuningJob.author_fields(by)
        )
        if sample_prompts is not None:
            job.checks[SAMPLES_CHOSEN] = True
        _ask_for_checks(job)
        audit(by, "fine_tuning_job.create", job, project=project, after=_told(job))
    return job


def job_update(*, job: FineTuningJob, by: Actor, **changes: Any) -> FineTuningJob:
    """Change a draft by the names of `job_create`; what is not named stays. Raises JobStarted, InvalidInput.

    Its data is checked anew where that says something else now.
    """
    with transaction.atomic():
        locked = _locked_draft(job)
        before = _told(locked)
        if "sample_prompts" in changes and (changes["sample_prompts"] or locked.sample_prompts):
            locked.checks[SAMPLES_CHOSEN] = True
        for name, value in _changed(locked, changes).as_fields().items():
            setattr(locked, name, value)
        locked.status_reason = ""  # why the draft that it was could not be started
        if locked.checks.get("made_of") != made_of(locked):
            _ask_for_checks(locked)
        else:
            locked.save()
        if (after := _told(locked)) != before:
            audit(by, "fine_tuning_job.update", locked, project=locked.project, before=before, after=after)
    return locked


def job_copy(*, job: FineTuningJob, by: Actor) -> FineTuningJob:
    """A new draft that asks for just the same. Raises InvalidInput where some of it is not there any more."""
    asked = _asked(job)
    if not job.checks.get(SAMPLES_CHOSEN):
        del asked["sample_prompts"]
    return job_create(project=job.project, by=by, **asked)


def _changed(job: FineTuningJob, changes: dict[str, Any]) -> JobPlan:
    """The plan with its changes. A preset that is chosen anew gives all settings that are not named."""
    asked = _asked(job)
    if "preset" in changes:
        asked["settings"] = {}
    return plan_read(job.project, **(asked | changes))


def _asked(job: FineTuningJob) -> dict[str, Any]:
    """What the job is, by the names of `job_create`. A training set says its rows by itself."""
    of_a_set = job.training_set is not None
    return {
        "name": job.name,
        "base": job.base,
        "training_set": job.training_set,
        "dataset_version": None if of_a_set else job.dataset_version,
        "prompt_version": None if of_a_set else job.prompt_version,
        "method": job.method,
        "technique": job.technique,
        "preset": job.preset,
        "settings": job.settings,
        "sweep": job.sweep,
        "evaluation": job.evaluation,
        "sample_prompts": job.sample_prompts,
        "seed": job.seed,
    }


def job_check_again(*, job: FineTuningJob) -> FineTuningJob:
    """Have a draft's data checked anew, for what may have changed around it. Raises JobStarted."""
    with transaction.atomic():
        locked = _locked_draft(job)
        _ask_for_checks(locked)
    return locked


def job_ask_start(*, job: FineTuningJob, by: Actor) -> FineTuningJob:
    """Start a draft: now where its checks are through, else as soon as they are.

    Raises JobStarted, and ChecksFailed where something blocks it.
    """
    with transaction.atomic():
        locked = _locked_draft(job)
        state = locked.checks.get("state")
        if state != "done" or locked.checks.get("made_of") != made_of(locked):
            who = {"kind": by.kind, "id": by.id, "label": by.label, "address": by.address}
            _ask_for_checks(locked, then_start=who)
            return locked
        if problems := blocking(locked):
            raise ChecksFailed(
                " ".join(problem.text for problem in problems),
                problems=[problem.name for problem in problems],
            )
        return job_start(job=locked, by=by)


def job_delete(*, job: FineTuningJob, by: Actor) -> None:
    """Throw a draft away. Raises JobStarted."""
    with transaction.atomic():
        locked = _locked_draft(job)
        audit(by, "fine_tuning_job.delete", locked, project=locked.project, before=_told(locked))
        locked.delete()


def checks_sweep() -> int:
    """Have drafts checked whose message nobody took, or whose worker was lost. Returns how many."""
    with transaction.atomic():
        waiting = FineTuningJob.objects.select_for_update(skip_locked=True, of=("self",)).filter(
            status=Status.DRAFT, checks_until__lt=timezone.now()
        )
        found = list(waiting.order_by("checks_until")[:_SWEPT_AT_ONCE])
        for job in found:
            job.checks["state"], job.checks_until = "pending", timezone.now() + PATIENCE
            enqueue(CHECK_TASK, queue="default", job_id=str(job.pk))
        FineTuningJob.objects.bulk_update(found, ["checks", "checks_until"])
    return len(found)


def _ask_for_checks(job: FineTuningJob, *, then_start: dict[str, str] | None = None) -> None:
    """Save the job, its checks waiting. Who wanted it started as it was is not held to that."""
    kept = {SAMPLES_CHOSEN: True} if job.checks.get(SAMPLES_CHOSEN) else {}
    job.checks = {"state": "pending", "made_of": made_of(job)} | kept
    if then_start:
        job.checks["then_start"] = then_start
    job.checks_until = timezone.now() + PATIENCE
    job.status_reason = ""
    job.save()
    enqueue(CHECK_TASK, queue="default", job_id=str(job.pk))


def _locked_draft(job: FineTuningJob) -> FineTuningJob:
    locked = (
        FineTuningJob.objects.select_for_update(of=("self",))
        .select_related("project", "training_set", "dataset_version__dataset", "prompt_version__prompt")
        .get(pk=job.pk)
    )
    if locked.status != Status.DRAFT:
        raise JobStarted(
            f"{locked.name} is {locked.get_status_display().lower()}; only a draft can be changed."
        )
    return locked


def _told(job: FineTuningJob) -> dict[str, Any]:
    return {
        "number": job.number,
        "name": job.name,
        "method": job.method,
        "technique": job.technique,
        "base": job.base,
        "dataset_version": str(job.dataset_version_id),
        "preset": job.preset,
        "settings": job.settings,
    }
