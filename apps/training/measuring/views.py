"""Pages: how a version did, measuring it again, and the project's policy."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError, Refused
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.training.measuring.chosen import chosen_for
from apps.training.measuring.findings import Policy
from apps.training.measuring.forms import MeasureForm, PolicyForm
from apps.training.measuring.policy import policy_words
from apps.training.measuring.policy_services import policy_clear, policy_of, policy_set
from apps.training.measuring.selectors import measured_of, measurement_get
from apps.training.measuring.services import measurement_create, measurement_judge_again
from apps.training.models import ModelVersion
from apps.training.registry.selectors import version_get


@project_view(Role.VIEWER)
@require_safe
def model_measurements(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    """How the version did, as a part of its page, which asks again while a measurement is under way."""
    if not request.htmx:
        return redirect("training:model-detail", request.project.slug, name, number)
    version = version_get(project=request.project, name=name, number=number)
    return render(request, "training/_measurements.html", {"measured": measured_of(version)})


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def model_measure(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    """The form; an htmx request asks for its fields with the options of the choices made so far."""
    version = version_get(project=request.project, name=name, number=number)
    form = _measure_form(request, version)
    if request.method == "POST" and form.is_valid():
        try:
            made = measurement_create(version=version, plan=form.plan(), by=request.actor)
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            assert made.comparison is not None
            messages.success(request, f"{version.full_name} is being measured. Its figures come here.")
            return redirect("evaluations:comparison-detail", request.project.slug, made.comparison.number)
    template = "training/_measure_fields.html" if request.htmx else "training/measure.html"
    return render(request, template, {"version": version, "form": form}, status=422 if form.errors else 200)


@project_view(Role.EDITOR)
@require_POST
def model_judge_again(request: ProjectRequest, name: str, number: int, measurement_id: UUID) -> HttpResponse:
    version = version_get(project=request.project, name=name, number=number)
    measurement = measurement_get(version=version, id=measurement_id)
    measurement_judge_again(measurement=measurement, by=request.actor)
    messages.success(request, "Its figures are held against today's policy.")
    return redirect("training:model-detail", request.project.slug, name, number)


@project_view(Role.VIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def policy(request: ProjectRequest) -> HttpResponse:
    """What the project asks of a version. Admins change it, or take it away with the button `clear`."""
    posted = request.POST if request.method == "POST" else None
    form = PolicyForm(posted, initial=_initial(policy_of(request.project)))
    if request.method == "POST" and _changed(request, form):
        return redirect("training:policy", request.project.slug)
    kept, may_change = policy_of(request.project), request.actor.may(Role.ADMIN)
    words = policy_words(kept) if kept else []
    context = {"form": form, "policy": kept, "words": words, "may_change": may_change}
    return render(request, "training/policy.html", context, status=422 if form.errors else 200)


def _changed(request: ProjectRequest, form: PolicyForm) -> bool:
    """Whether the policy is now as was asked; else the form says why not."""
    if not request.actor.may(Role.ADMIN):
        raise Refused("Only admins of the project change its policy.")
    if "clear" in request.POST:
        policy_clear(project=request.project, by=request.actor)
        messages.success(request, "There is no policy any more. What was judged stays judged.")
        return True
    if not form.is_valid():
        return False
    try:
        policy_set(project=request.project, by=request.actor, policy=form.policy())
    except ProductError as exc:
        form.add_product_error(exc)
        return False
    messages.success(request, "The policy is saved. Versions measured from now on are judged by it.")
    return True


def _initial(kept: Policy | None) -> dict[str, Any]:
    found = kept or Policy()
    names = ("must_beat", "most_lost_on_slice", "least_slice_rows", "slices_shown")
    return {name: getattr(found, name) for name in names}


def _measure_form(request: ProjectRequest, version: ModelVersion) -> MeasureForm:
    chosen: dict[str, Any] = {}
    if request.method != "POST":
        chosen = chosen_for(version) if not request.GET else {name: request.GET[name] for name in request.GET}
    if request.GET:
        chosen["evaluators"] = request.GET.getlist("evaluators")
    address = [request.project.slug, version.name, version.number]
    return MeasureForm(
        version=version,
        posted=request.POST if request.method == "POST" else None,
        chosen=chosen,
        refresh_url=reverse("training:model-measure", args=address),
    )
