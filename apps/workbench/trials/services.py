"""Trying columns of a page on some rows of a dataset: asking for the calls, stopping them, asking again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import thread_time
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.errors import ProductError
from apps.core.models import Project, new_id
from apps.datasets.models import Example
from apps.evaluations.spending import month_spending
from apps.prompts.models import Prompt
from apps.providers.models import Model
from apps.workbench.calls.columns import Planned, call_plan, with_column
from apps.workbench.calls.errors import BudgetUsedUp, InvalidRun
from apps.workbench.calls.services import call_stop, calls_ask_to_stop, calls_start
from apps.workbench.models import Call, Trial, TrialCell
from apps.workbench.trials.choosing import (
    DEAR_USD,
    Column,
    TrialRequest,
    read_columns,
    trial_estimate,
    trial_request,
)
from apps.workbench.trials.errors import DearTrial, InvalidTrial

#: A page waits while the values are filled into every row's messages: no longer than this.
MOST_FILLING_S = 15.0


def trial_start(
    *,
    project: Project,
    by: Actor,
    prompt: Prompt,
    page: UUID,
    body: Mapping[str, Any],
    keep: bool = False,
    sure: bool = False,
) -> Trial:
    """Ask for every row in every column. A row whose values do not fit is told so, and the others go on.

    `body` as `trial_request` reads it. Raises what that raises, InvalidRun when no row fits, DearTrial for
    what may cost more than DEAR_USD and was not said to be meant, BudgetUsedUp, PromptArchived.
    """
    request = trial_request(project=project, prompt=prompt, body=body)
    _refuse_dear(project, prompt, request, sure=sure)
    places = [
        (column, place, row) for column in request.columns for place, row in enumerate(request.examples)
    ]
    plans = _plans(prompt, places)
    _refuse_hopeless(plans, request.columns)
    with transaction.atomic():
        trial = Trial.objects.create(
            project=project,
            prompt=prompt,
            dataset_version=request.dataset_version,
            page=page,
            keep=keep,
            choice=request.choice,
            columns=[column.kept() for column in request.columns],
            **Trial.author_fields(by),
        )
        trial.evaluator_versions.set(request.evaluators)
        calls = _calls(trial, by, plans, batch=trial.pk)
        TrialCell.objects.bulk_create(
            TrialCell(
                trial=trial,
                column=column.id,
                position=place,
                example=row,
                call=calls.get(index),
                error=_error(plans[index]),
            )
            for index, (column, place, row) in enumerate(places)
        )
    return trial


def trial_stop(*, trial: Trial) -> None:
    """Have every call of the trial stopped; what has been answered stays."""
    Trial.objects.filter(pk=trial.pk, stopped_at=None).update(stopped_at=timezone.now())
    calls = Call.objects.filter(trial_cell__trial=trial)
    of_trial = Call.objects.filter(pk__in=calls.values("pk"))
    calls_ask_to_stop(of_trial)
    for call in calls.filter(status=Call.Status.PENDING):
        call_stop(call=call)  # tells the page of each
    calls_ask_to_stop(of_trial)  # what was taken up between the two


def trial_retry(*, trial: Trial, by: Actor, page: UUID) -> int:
    """Ask anew for what failed or was stopped; returns for how many cells.

    Raises PromptArchived, InvalidRun when the prompt's columns cannot be run any more.
    """
    columns = {column.id: column for column in read_columns(trial.prompt, trial.columns)}
    with transaction.atomic():
        Trial.objects.select_for_update(no_key=True).get(pk=trial.pk)  # two presses take turns
        cells = [
            cell
            for cell in trial.cells.select_related("example", "call").order_by("column", "position")
            if cell.call is None or cell.call.status in (Call.Status.FAILED, Call.Status.CANCELLED)
        ]
        plans = _plans(trial.prompt, [(columns[cell.column], cell.position, cell.example) for cell in cells])
        trial.page = page
        calls = _calls(trial, by, plans, batch=new_id())
        for index, cell in enumerate(cells):
            cell.call, cell.error, cell.scored_at = calls.get(index), _error(plans[index]), None
            cell.scoring_lease_until, cell.scoring_attempts = None, 0
        changed = ("call", "error", "scored_at", "scoring_lease_until", "scoring_attempts")
        TrialCell.objects.bulk_update(cells, changed)
        Trial.objects.filter(pk=trial.pk).update(stopped_at=None, page=page)
    return len(calls)


Plan = Planned | ProductError


def _plans(prompt: Prompt, places: Sequence[tuple[Column, int, Example]]) -> list[Plan]:
    """The call of each place, or why there is none. Raises InvalidTrial for what takes too long."""
    plans: list[Plan] = []
    models: dict[str, Model] = {}
    until = thread_time() + MOST_FILLING_S
    for column, _, row in places:
        if thread_time() > until:
            text = (
                f"Filling in the values took {MOST_FILLING_S:g} seconds of work for {len(plans)} of "
                f"{len(places)} calls. Try fewer rows, or look for loops inside loops in the prompt."
            )
            raise InvalidTrial(text, fields={"limit": [text]})
        try:
            planned = call_plan(
                prompt=prompt,
                content=column.content,
                inputs=row.inputs,
                version=column.version,
                model=models.get(column.id),
            )
            models[column.id] = planned.model
            plans.append(with_column(planned, column.id))
        except ProductError as error:
            plans.append(error)
    return plans


def _error(plan: Plan) -> str:
    return plan.detail if isinstance(plan, ProductError) else ""


def _calls(trial: Trial, by: Actor, plans: Sequence[Plan], *, batch: UUID) -> dict[int, Call]:
    """The calls that can be made, by the place of their plan."""
    ready = [(index, plan) for index, plan in enumerate(plans) if isinstance(plan, Planned)]
    if not ready:
        return {}
    calls = calls_start(
        project=trial.project,
        by=by,
        prompt=trial.prompt,
        page=trial.page,
        planned=[plan for _, plan in ready],
        purpose=Call.Purpose.TRIAL,
        keep=trial.keep,
        batch=batch,
    )
    return {index: call for (index, _), call in zip(ready, calls, strict=True)}


def _refuse_hopeless(plans: Sequence[Plan], columns: Sequence[Column]) -> None:
    """When no row fits, the reason is in the prompt or in the choice of the dataset: nothing is begun."""
    errors = [plan for plan in plans if isinstance(plan, ProductError)]
    if len(errors) < len(plans):
        return
    first, rows = errors[0], len(plans) // len(columns)
    fields = {
        f"columns[{index // rows}].{place}": texts
        for index, e in enumerate(errors)
        for place, texts in e.fields.items()
    }
    raise InvalidRun(f"None of the rows can be tried. The first: {first.detail}", fields=fields)


def _refuse_dear(project: Project, prompt: Prompt, request: TrialRequest, *, sure: bool) -> None:
    cost = trial_estimate(project=project, prompt=prompt, request=request)
    # The calls go out together, so none of them would see what the others cost.
    left = month_spending(project=project).left if cost.likely else None
    if left is not None and cost.likely and cost.likely > left:
        raise BudgetUsedUp(
            f"This would cost about ${cost.likely:.2f}, and ${left:.2f} is left of the project's budget for "
            "this month. Try fewer rows."
        )
    if not sure and cost.high is not None and cost.high > DEAR_USD:
        raise DearTrial(
            f"This may cost up to ${cost.high:.2f} (most likely ${cost.likely or 0:.2f}). Try fewer rows, or "
            "start it anyway.",
            high=f"{cost.high:f}",
        )
