"""A prompt's labels with their history, and the labels a project protects."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import label_services, selectors
from apps.prompts.forms import LabelForm, ProtectedLabelForm
from apps.prompts.models import Prompt


@project_view(Role.VIEWER)
@require_safe
def labels(request: ProjectRequest, slug: str) -> HttpResponse:
    """The labels page; asked for by htmx, only the form that sets or moves a label."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    numbers = selectors.version_numbers(prompt=prompt)
    initial = {"version": request.GET.get("version") or (numbers[0] if numbers else None)}
    form = LabelForm(initial=initial | {"label": request.GET.get("label", "")}, numbers=numbers)
    return _labels_page(request, prompt, form)


@project_view(Role.EDITOR)
@require_POST
def label_set(request: ProjectRequest, slug: str) -> HttpResponse:
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    form = LabelForm(request.POST, numbers=selectors.version_numbers(prompt=prompt))
    if not form.is_valid():
        return _labels_page(request, prompt, form, status=400)
    wanted = form.cleaned_data
    version = selectors.version_get(prompt=prompt, version=wanted["version"])
    try:
        label_services.label_set(
            prompt=prompt, by=request.actor, name=wanted["label"], version=version, reason=wanted["reason"]
        )
    except ProductError as error:
        form.add_product_error(error)
        return _labels_page(request, prompt, form, status=error.status)
    messages.success(request, f"“{wanted['label']}” points to version {version.number} now.")
    return redirect("prompts:labels", request.project.slug, slug)


@project_view(Role.EDITOR)
@require_POST
def label_remove(request: ProjectRequest, slug: str, label: str) -> HttpResponse:
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    label_services.label_remove(
        prompt=prompt, by=request.actor, name=label, reason=request.POST.get("reason", "").replace("\x00", "")
    )
    messages.success(request, f"“{label}” is removed. Its history stays.")
    return redirect("prompts:labels", request.project.slug, slug)


def _labels_page(
    request: ProjectRequest, prompt: Prompt, form: LabelForm, *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "prompt": prompt,
        "form": form,
        "labels": selectors.label_list(prompt=prompt),
        "protected": selectors.protected_labels(project=request.project),
        "may_edit": request.actor.may(Role.EDITOR),
        "may_move_protected": request.actor.may(Role.APPROVER),
    }
    if request.htmx:
        return render(request, "prompts/_label_form.html", context, status=status)
    context["moves"] = keyset(selectors.label_moves(prompt=prompt), request)
    return render(request, "prompts/labels.html", context, status=status)


@project_view(Role.VIEWER)
@require_safe
def protected_labels(request: ProjectRequest) -> HttpResponse:
    return _protected_page(request, ProtectedLabelForm())


@project_view(Role.ADMIN)
@require_POST
def label_protect(request: ProjectRequest) -> HttpResponse:
    form = ProtectedLabelForm(request.POST)
    if form.is_valid():
        try:
            label_services.label_protect(
                project=request.project, by=request.actor, name=form.cleaned_data["label"]
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, f"“{form.cleaned_data['label']}” is protected now.")
            return redirect("prompts:protected-labels", request.project.slug)
    return _protected_page(request, form, status=400)


@project_view(Role.ADMIN)
@require_POST
def label_unprotect(request: ProjectRequest, label: str) -> HttpResponse:
    label_services.label_unprotect(project=request.project, by=request.actor, name=label)
    messages.success(request, f"“{label}” is not protected any more: editors may move it.")
    return redirect("prompts:protected-labels", request.project.slug)


def _protected_page(request: ProjectRequest, form: ProtectedLabelForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "names": sorted(selectors.protected_labels(project=request.project)),
        "is_admin": request.actor.may(Role.ADMIN),
    }
    return render(request, "prompts/protected_labels.html", context, status=status)
