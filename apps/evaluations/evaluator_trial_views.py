"""Trying the settings of an evaluator on one example, before they are saved."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.models import Project
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.evaluator_config import evaluator_kind
from apps.evaluations.evaluator_examples import example_choices, trial_example
from apps.evaluations.evaluator_forms import TrialExampleForm, TrialForm
from apps.evaluations.evaluator_trial import PendingTrial, Trial, trial_get, trial_start
from apps.evaluations.evaluators import EvaluatorKind, Place


def trial_fields(project: Project, of: EvaluatorKind) -> dict[str, object]:
    """What the page of a form needs for the trial beside it."""
    return {
        "example_choices": example_choices(project),
        "trial_form": _example_form(of),
        "at_end": of.place is Place.AT_END,
    }


@project_view(Role.EDITOR)
@require_POST
def evaluator_dry_run(request: ProjectRequest, kind_name: str) -> HttpResponse:
    of = evaluator_kind(kind_name)
    form = TrialForm(request.POST, kind=of)
    context: dict[str, object] = {}
    if form.is_valid():
        try:
            trial = trial_start(
                project=request.project, kind=of.name, config=form.cleaned_config(), item=form.scoring_input()
            )
            context = _trial_context(trial)
        except ProductError as error:
            form.add_product_error(error)
    template = "evaluations/_evaluator_trial.html" if request.htmx else "evaluations/evaluator_trial.html"
    return render(request, template, {**context, "tried": form, "kind": of})


@project_view(Role.EDITOR)
@require_safe
def evaluator_trial(request: ProjectRequest, token: str) -> HttpResponse:
    context = _trial_context(trial_get(project=request.project, token=token))
    template = "evaluations/_evaluator_trial.html" if request.htmx else "evaluations/evaluator_trial.html"
    return render(request, template, context)


@project_view(Role.EDITOR)
@require_safe
def evaluator_example(request: ProjectRequest, kind_name: str) -> HttpResponse:
    """The fields of the trial, filled in from an example of a dataset."""
    of = evaluator_kind(kind_name)
    number = request.GET.get("number", "")
    filled, problem = None, ""
    try:
        filled = trial_example(
            project=request.project,
            dataset=request.GET.get("dataset", "")[:80],
            number=int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0,
        )
    except ProductError as error:
        problem = error.detail
    context = {
        "trial_form": _example_form(of, filled),
        "at_end": of.place is Place.AT_END,
        "problem": problem,
    }
    return render(request, "evaluations/_evaluator_try_fields.html", context)


def _example_form(of: EvaluatorKind, filled: dict[str, object] | None = None) -> TrialExampleForm:
    return TrialExampleForm(initial=filled or {}, auto_id="trial-%s")


def _trial_context(trial: Trial | PendingTrial) -> dict[str, object]:
    if isinstance(trial, PendingTrial):
        return {"waiting": not trial.lost, "lost": trial.lost, "token": trial.token}
    return {"trial": trial}
