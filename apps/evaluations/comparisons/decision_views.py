"""The dialogue in which a comparison becomes a decision: a label moves to a run's prompt version."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.comparisons.decision_evidence import Evidence, evidence_of
from apps.evaluations.comparisons.decision_forms import PRODUCTION, DecisionForm
from apps.evaluations.comparisons.decision_services import Labels, comparison_decide, labels_now
from apps.evaluations.comparisons.links import comparison_url
from apps.evaluations.comparisons.selectors import comparison_get, runs_of
from apps.evaluations.comparisons.state import ComparisonState, comparison_state
from apps.prompts.selectors import protected_labels


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def comparison_decide_page(request: ProjectRequest, number: int) -> HttpResponse:
    """What the figures say of each run, and the form; htmx asks for the form alone, for the drawer."""
    comparison = comparison_get(project=request.project, number=number)
    state = comparison_state(comparison, request.GET)
    evidence, now = evidence_of(state), labels_now(runs_of(comparison))
    posted = request.POST if request.method == "POST" else None
    form = DecisionForm(posted, evidence=evidence, chosen=request.GET.get("run", ""))
    if posted is not None and form.is_valid():
        try:
            return _decide(request, state, form)
        except ProductError as error:
            form.add_product_error(error)
            return _form_page(request, state, form, evidence, now, status=409 if error.status == 409 else 422)
    return _form_page(request, state, form, evidence, now, status=422 if form.errors else 200)


def _decide(request: ProjectRequest, state: ComparisonState, form: DecisionForm) -> HttpResponse:
    decision = comparison_decide(
        state=state,
        by=request.actor,
        run=form.chosen_run(),
        label=form.cleaned_data["label"],
        reason=form.cleaned_data["reason"],
        seen=form.labels_seen(),
    )
    prompt = decision.version.prompt
    was = f", before it was version {decision.before.number}" if decision.before else ""
    messages.success(
        request,
        f"“{decision.label.name}” of {prompt.name} points to version {decision.version.number} now{was}. "
        "This comparison is kept with it as evidence.",
    )
    address = comparison_url(state)
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _form_page(
    request: ProjectRequest,
    state: ComparisonState,
    form: DecisionForm,
    evidence: list[Evidence],
    now: Labels,
    *,
    status: int,
) -> HttpResponse:
    """The form with what was typed. After a refusal it carries the labels as they are now, so that a second
    look is a second decision."""
    protected = protected_labels(project=request.project)
    decide_url = comparison_url(state, "comparison-decide")
    context: dict[str, Any] = {
        "comparison": state.comparison,
        "form": form,
        "seen": json.dumps(now, sort_keys=True),
        "options": [(str(each.run.number), each, _labels_of(each, now)) for each in evidence],
        "chosen": str(form["run"].value() or ""),
        "possible": any(not each.no_version for each in evidence),
        "labels": sorted({PRODUCTION, *protected, *(name for names in now.values() for name in names)}),
        "protected": sorted(protected),
        "may_move_protected": request.actor.may(Role.APPROVER),
        "detail_url": comparison_url(state),
        "decide_url": decide_url,
        "options_url": f"{decide_url}{'&' if '?' in decide_url else '?'}options=1",
        "waiting": evidence[0].waiting,
    }
    template = "evaluations/_decision_form.html" if request.htmx else "evaluations/decision.html"
    if request.htmx and "options" in request.GET:
        template = "evaluations/_decision_options.html"  # polled while the figures are being made
    return render(request, template, context, status=status)


def _labels_of(evidence: Evidence, now: Labels) -> list[str]:
    """The labels that point to the run's version as it is."""
    version = evidence.run.prompt_version
    if version is None:
        return []
    return [name for name, number in now.get(version.prompt.slug, {}).items() if number == version.number]
