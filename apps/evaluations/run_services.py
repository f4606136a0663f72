"""Making runs and moving them between states. Driving them is `driving`'s business."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.evaluations.budget_services import check_budgets
from apps.evaluations.engine.dispatch import enqueue_drive, enqueue_finalize, enqueue_scoring
from apps.evaluations.engine.leases import PATIENCE, items_lock
from apps.evaluations.engine.stages import earliest_stage
from apps.evaluations.errors import InvalidInput, RunStateConflict
from apps.evaluations.models import EvalItem, EvalRun, EvaluatorVersion
from apps.evaluations.recorded import check_output_column, outputs_from_column, recorded_run_finish
from apps.evaluations.run_news import notify_run
from apps.evaluations.run_plan import (
    ExampleChoice,
    check_primary,
    check_variables,
    chosen_examples,
    frozen_metrics,
    insert_items,
    planned_primary,
)
from apps.prompts.models import PromptVersion
from apps.providers.connection import LOCAL
from apps.providers.models import Model
from apps.providers.selectors import model_resolve
from apps.traces.models import Trace

MOST_REPETITIONS = 20
_MOVED = ("status", "status_reason", "finished_at", "finalized_at", "driver_token", "driver_lease_until")


@dataclass(frozen=True)
class RunRequest:
    """What a person or a program asks for. `model` ("provider/model") overrides the prompt's own."""

    name: str
    dataset_version: DatasetVersion
    prompt_version: PromptVersion | None
    evaluators: Sequence[EvaluatorVersion] = ()
    model: str = ""
    choice: ExampleChoice = field(default_factory=ExampleChoice)
    repetitions: int = 1
    max_concurrency: int | None = None
    seed: int | None = None
    budget_usd: Decimal | None = None
    budget_tokens: int | None = None
    use_cache: bool = False
    #: Outputs made elsewhere, of `prompt_version` where one is named.
    recorded: bool = False
    #: With `recorded`: the column of the dataset (an input or metadata) whose values are the outputs.
    output_column: str = ""
    rerun_of: EvalRun | None = None
    #: The metric that decides, chosen before anything is measured; "" leaves it for when runs are compared.
    primary_metric: str = ""


def eval_run_create(*, project: Project, by: Actor, request: RunRequest) -> EvalRun:
    """Freeze the plan, write one pending item for each example and repetition, and send the run to work.

    Raises NothingToRun, VariablesMissing, UnknownModel, InvalidInput.
    """
    version, prompt = request.dataset_version, request.prompt_version
    if not request.recorded and prompt is None:
        raise InvalidInput("Choose a prompt to run.", fields={"prompt": ["Choose a prompt to run."]})
    if not 1 <= request.repetitions <= MOST_REPETITIONS:
        raise InvalidInput("Repetitions go from 1 to 20.", fields={"repetitions": ["Choose 1 to 20."]})
    if request.output_column:
        check_output_column(version, request.output_column)
    metrics = frozen_metrics(request.evaluators)
    check_primary(request.primary_metric, metrics, recorded=request.recorded)
    model = _model(project, request)
    check_budgets(project, model, budget_usd=request.budget_usd)
    if prompt is not None and not request.recorded:
        check_variables(prompt, version)
    examples = chosen_examples(version, request.choice)
    with transaction.atomic():
        number = _next_number(project)
        run = EvalRun.objects.create(
            project=project,
            number=number,
            name=request.name.strip() or f"Run {number}",
            dataset_version=version,
            prompt_version=prompt,
            model=model,
            model_name=f"{model.provider.slug}/{model.name}" if model else "",
            parameters=_parameters(prompt, model),
            plan={
                "metrics": metrics,
                "primary_metric": request.primary_metric,
                "examples": asdict(request.choice),
                **({"output_column": request.output_column} if request.output_column else {}),
                "trace": str(_trace(project, request).pk),
            },
            recorded=request.recorded,
            queue="local" if model and model.provider.kind == LOCAL else "llm",
            repetitions=request.repetitions,
            max_concurrency=_concurrency(request, model),
            seed=request.seed,
            budget_usd=request.budget_usd,
            budget_tokens=request.budget_tokens,
            use_cache=request.use_cache,
            rerun_of=request.rerun_of,
            driver_lease_until=None if request.recorded else timezone.now() + PATIENCE,
            **EvalRun.author_fields(by),
        )
        run.evaluator_versions.set(request.evaluators)
        run.total = insert_items(run, examples)
        run.save(update_fields=["total"])
        audit(by, "eval_run.create", run, project=project, after=_audited(run))
        if request.output_column:
            outputs_from_column(run=run, column=request.output_column)
            run = recorded_run_finish(run=run, by=by)
        elif not request.recorded:
            enqueue_drive(run)
    return run


def eval_run_again(*, run: EvalRun, by: Actor) -> EvalRun:
    """Start a new run with the same plan: versions, examples, parameters, evaluators, repetitions, limits.

    Raises RunStateConflict for outputs made elsewhere, and what `eval_run_create` raises.
    """
    if run.recorded:
        raise RunStateConflict(f"{run.name} records outputs made elsewhere; there is nothing to run again.")
    versions = {str(version.pk): version for version in run.evaluator_versions.select_related("evaluator")}
    planned = [spec["evaluator_version"] for spec in run.plan.get("metrics", [])]
    order = dict.fromkeys([*(pk for pk in planned if pk in versions), *versions])
    request = RunRequest(
        name=run.name,
        dataset_version=run.dataset_version,
        prompt_version=run.prompt_version,
        evaluators=[versions[pk] for pk in order],
        model=run.model_name,
        choice=ExampleChoice(**run.plan["examples"]),
        repetitions=run.repetitions,
        max_concurrency=run.max_concurrency,
        seed=run.seed,
        budget_usd=run.budget_usd,
        budget_tokens=run.budget_tokens,
        use_cache=run.use_cache,
        rerun_of=run,
        primary_metric=planned_primary(run),
    )
    return eval_run_create(project=run.project, by=by, request=request)


def eval_run_pause(*, run: EvalRun, by: Actor, reason: str = "") -> EvalRun:
    """Stop claiming items; calls that are under way are dropped and made again on resume."""
    return _move(
        run, by, "pause", ("pending", "running"), EvalRun.Status.PAUSED, reason or f"Paused by {by.label}."
    )


def eval_run_resume(
    *, run: EvalRun, by: Actor, budget_usd: Decimal | None = None, budget_tokens: int | None = None
) -> EvalRun:
    """Go on with a paused run, or with what a cancelled one had left; budgets given are the new ones."""
    check_budgets(run.project, run.model, budget_usd=budget_usd)
    budgets = {"budget_usd": budget_usd, "budget_tokens": budget_tokens}
    changed = {name: value for name, value in budgets.items() if value is not None}
    with transaction.atomic():
        if changed:
            before = {name: _told(getattr(run, name)) for name in changed}
            EvalRun.objects.filter(pk=run.pk).update(**changed)
            after = {name: _told(value) for name, value in changed.items()}
            audit(by, "eval_run.budget", run, project=run.project, before=before, after=after)
        # A recorded run goes back to where it was: taking results, or scoring them.
        scoring = run.recorded and run.started_at is not None
        to = EvalRun.Status.RUNNING if scoring else EvalRun.Status.PENDING
        run = _move(run, by, "resume", ("paused", "cancelled"), to, "")
        _judge_on(run)
        if not scoring:
            _open_items(run, ("cancelled",))
        _enqueue_next(run)
    return run


def eval_run_cancel(*, run: EvalRun, by: Actor) -> EvalRun:
    """End the run now. What was answered stays; what was not is marked cancelled."""
    with transaction.atomic():
        run = _move(
            run,
            by,
            "cancel",
            ("pending", "running", "paused"),
            EvalRun.Status.CANCELLED,
            f"Cancelled by {by.label}.",
        )
        open_items = run.items.filter(status__in=("pending", "answered"))
        items_lock(open_items)
        open_items.update(status=EvalItem.Status.CANCELLED, lease_token=None, lease_until=None)
        enqueue_finalize(run)
    return run


def eval_run_retry_failed(*, run: EvalRun, by: Actor) -> EvalRun:
    """Answer again what failed, and nothing else."""
    with transaction.atomic():
        failed = run.items.filter(status="failed")
        if not failed.exists():
            raise RunStateConflict(f"No item of {run.name} has failed, so there is nothing to retry.")
        run = _move(run, by, "retry_failed", ("completed", "failed", "cancelled"), EvalRun.Status.PENDING, "")
        _open_items(run, ("failed",))
        _enqueue_next(run)
    return run


def _move(run: EvalRun, by: Actor, verb: str, allowed: tuple[str, ...], to: str, reason: str) -> EvalRun:
    with transaction.atomic():
        run = (
            EvalRun.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project")
            .get(pk=run.pk)
        )
        if run.status not in allowed:
            raise RunStateConflict(
                f"{run.name} is {run.status}; this takes a run that is {' or '.join(allowed)}.",
                status_now=run.status,
            )
        if run.recorded and verb == "retry_failed":
            raise RunStateConflict(f"{run.name} records outputs made elsewhere: post them again instead.")
        before = run.status
        run.status, run.status_reason = to, reason
        run.finished_at = timezone.now() if to in EvalRun.TERMINAL else None
        run.finalized_at = None
        run.driver_token += 1  # whoever drives it now has lost it
        run.driver_lease_until = timezone.now() + PATIENCE
        # Only these: naming a key's columns would lock the row against all that refers to it.
        run.save(update_fields=_MOVED)
        audit(
            by, f"eval_run.{verb}", run, project=run.project, before={"status": before}, after={"status": to}
        )
        if to in (EvalRun.Status.PAUSED, *EvalRun.TERMINAL):
            notify_run(run, by=by)
    return run


def _open_items(run: EvalRun, states: tuple[str, ...]) -> None:
    run.items.filter(status__in=states).update(
        status=EvalItem.Status.PENDING,
        attempts=0,
        error="",
        error_kind="",
        lease_token=None,
        lease_until=None,
        next_attempt_at=None,
    )


def _judge_on(run: EvalRun) -> None:
    """What has its answer is not answered again: it goes on with the scores that it lacks."""
    waiting = Q(status="answered") | Q(status="cancelled", answered_at__isnull=False, error_kind="")
    items_lock(run.items.filter(waiting))
    run.items.filter(waiting).update(
        status=EvalItem.Status.ANSWERED,
        scoring_attempts=0,
        next_attempt_at=None,
        lease_token=None,
        lease_until=None,
    )


def _enqueue_next(run: EvalRun) -> None:
    """Answering first; scoring where nothing is left to answer. A recorded run waits for its results."""
    if run.recorded and run.status == EvalRun.Status.PENDING:
        EvalRun.objects.filter(pk=run.pk).update(driver_lease_until=None)
    elif run.recorded or not run.items.filter(status="pending").exists():
        enqueue_scoring(run, earliest_stage(run))
    else:
        enqueue_drive(run)


def _model(project: Project, request: RunRequest) -> Model | None:
    if request.recorded:
        return None
    name = request.model or (request.prompt_version.model_name if request.prompt_version else "")
    if not name:
        raise InvalidInput(
            "Neither the prompt nor the run names a model. Choose one, written provider/model.",
            fields={"model": ["Choose a model."]},
        )
    return model_resolve(project=project, name=name)


def _told(budget: Decimal | int | None) -> str | None:
    return None if budget is None else f"{Decimal(budget).normalize():f}"


def _parameters(prompt: PromptVersion | None, model: Model | None) -> dict[str, Any]:
    if prompt is None or model is None:
        return {}
    return {**prompt.parameters, "model": f"{model.provider.slug}/{model.name}"}


def _concurrency(request: RunRequest, model: Model | None) -> int:
    """Calls at once: what was asked for, never more than the provider takes."""
    most = model.provider.max_concurrency if model else 1
    return min(request.max_concurrency or most, most)


def _trace(project: Project, request: RunRequest) -> Trace:
    return Trace.objects.create(project=project, name=request.name[:200], source="run")


def _next_number(project: Project) -> int:
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # one number each
    return (EvalRun.objects.filter(project=project).aggregate(Max("number"))["number__max"] or 0) + 1


def _audited(run: EvalRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "dataset": str(run.dataset_version),
        "prompt": str(run.prompt_version) if run.prompt_version else None,
        "model": run.model_name,
        "items": run.total,
    }
