"""Trying columns on rows: what is on offer, what it would cost, starting, looking, stopping, trying again."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from django.http import JsonResponse
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts.selectors import prompt_get
from apps.workbench.asked import asked_uuid
from apps.workbench.bodies import json_body
from apps.workbench.trials import services
from apps.workbench.trials.choosing import MOST_ROWS, trial_estimate, trial_request
from apps.workbench.trials.evaluating import evaluator_choices
from apps.workbench.trials.presenting import trial_as_json
from apps.workbench.trials.selectors import trial_get, trials_of
from apps.workbench.values import datasets_with_rows


@project_view(Role.VIEWER)
@require_safe
def trial_choices(request: ProjectRequest, slug: str) -> JsonResponse:
    """{"datasets", "evaluators" (with `why_not`), "most_rows", "last" (the newest trial's id or null)}."""
    prompt = prompt_get(project=request.project, slug=slug)
    last = trials_of(prompt=prompt).values_list("pk", flat=True).first()
    return JsonResponse(
        {
            "datasets": datasets_with_rows(project=request.project),
            "evaluators": [asdict(choice) for choice in evaluator_choices(project=request.project)],
            "most_rows": MOST_ROWS,
            "last": last and str(last),
        }
    )


@project_view(Role.EDITOR)
@require_POST
def trial_plan(request: ProjectRequest, slug: str) -> JsonResponse:
    """The body of `trial` → what it would take: {"rows", "calls", "judge_calls", "likely", "high"}.

    The last two in US dollars as text, null where a price is not known. Nothing is written.
    {"problem"} says why it cannot be tried as it stands."""
    prompt = prompt_get(project=request.project, slug=slug)
    body = json_body(request)
    try:
        asked = trial_request(project=request.project, prompt=prompt, body=body)
    except ProductError as error:  # asked while it is typed: a plan that is not possible yet is no failure
        return JsonResponse({"problem": error.detail})
    cost = trial_estimate(project=request.project, prompt=prompt, request=asked)
    return JsonResponse(
        {
            "rows": len(asked.examples),
            "calls": cost.calls,
            "judge_calls": cost.judge_calls,
            "likely": None if cost.likely is None else f"{cost.likely:f}",
            "high": None if cost.high is None else f"{cost.high:f}",
        }
    )


@project_view(Role.EDITOR)
@require_POST
def trial(request: ProjectRequest, slug: str) -> JsonResponse:
    """{"page", "columns": [{"id", "typed", "base"}], "dataset", "version"?, "limit", "q"?, "split"?,
    "evaluators": [slug], "keep"?, "sure"?} → the trial."""
    prompt = prompt_get(project=request.project, slug=slug)
    body = json_body(request)
    started = services.trial_start(
        project=request.project,
        by=request.actor,
        prompt=prompt,
        page=asked_uuid(body, "page"),
        body=body,
        keep=body.get("keep") is True,
        sure=body.get("sure") is True,
    )
    return JsonResponse(trial_as_json(started), status=202)


@project_view(Role.VIEWER)
@require_safe
def trial_detail(request: ProjectRequest, trial_id: UUID) -> JsonResponse:
    return JsonResponse(trial_as_json(trial_get(project=request.project, id=trial_id)))


@project_view(Role.EDITOR)
@require_POST
def trial_stop(request: ProjectRequest, trial_id: UUID) -> JsonResponse:
    found = trial_get(project=request.project, id=trial_id)
    services.trial_stop(trial=found)
    return JsonResponse(trial_as_json(trial_get(project=request.project, id=trial_id)), status=202)


@project_view(Role.EDITOR)
@require_POST
def trial_retry(request: ProjectRequest, trial_id: UUID) -> JsonResponse:
    """{"page"} → the trial, with a new call for each that failed or was stopped."""
    found = trial_get(project=request.project, id=trial_id)
    page = asked_uuid(json_body(request), "page")
    services.trial_retry(trial=found, by=request.actor, page=page)
    return JsonResponse(trial_as_json(trial_get(project=request.project, id=trial_id)), status=202)
