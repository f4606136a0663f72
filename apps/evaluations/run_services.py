"""Making runs. Moving them between states is the business of `run_moves`, driving them of `driving`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.evaluations.budget_services import check_budgets
from apps.evaluations.engine.dispatch import enqueue_drive
from apps.evaluations.engine.leases import PATIENCE
from apps.evaluations.errors import InvalidInput, RunStateConflict
from apps.evaluations.models import EvalRun, EvaluatorVersion
from apps.evaluations.recorded import check_output_column, outputs_from_column, recorded_run_finish
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
    model = _checked_model(project, request)
    examples = chosen_examples(request.dataset_version, request.choice)
    with transaction.atomic():
        run = _run(project, by, request, model)
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


def _checked_model(project: Project, request: RunRequest) -> Model | None:
    """Check what is asked for. The model that answers; None for outputs made elsewhere."""
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
    return model


def _run(project: Project, by: Actor, request: RunRequest, model: Model | None) -> EvalRun:
    number = _next_number(project)
    return EvalRun.objects.create(
        project=project,
        number=number,
        name=request.name.strip() or f"Run {number}",
        dataset_version=request.dataset_version,
        prompt_version=request.prompt_version,
        model=model,
        model_name=f"{model.provider.slug}/{model.name}" if model else "",
        parameters=_parameters(request.prompt_version, model),
        plan=_plan(project, request),
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


def _plan(project: Project, request: RunRequest) -> dict[str, Any]:
    return {
        "metrics": frozen_metrics(request.evaluators),
        "primary_metric": request.primary_metric,
        "examples": asdict(request.choice),
        **({"output_column": request.output_column} if request.output_column else {}),
        "trace": str(_trace(project, request).pk),
    }


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
