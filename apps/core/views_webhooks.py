"""Webhooks of a project: made and shown once, tested, with a log of what was delivered, removed."""

from __future__ import annotations

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.forms import ProductForm
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.url_guard import MAX_URL_LENGTH
from apps.core.views import ProjectRequest, project_view
from apps.core.webhooks import (
    EVENTS,
    MAX_NAME,
    deliveries_of,
    delivery_again,
    delivery_get,
    webhook_create,
    webhook_get,
    webhook_remove,
    webhook_test,
    webhooks_of,
)


class WebhookForm(ProductForm):
    name = forms.CharField(max_length=MAX_NAME)
    url = forms.CharField(
        label="URL",
        max_length=MAX_URL_LENGTH,
        widget=forms.URLInput(attrs={"inputmode": "url"}),
        help_text="It gets a POST with JSON. For example https://host/hooks/llmops.",
    )
    events = forms.MultipleChoiceField(
        label="Tell it when", choices=list(EVENTS.items()), widget=forms.CheckboxSelectMultiple
    )


@project_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: ProjectRequest) -> HttpResponse:
    """The list, and the form that makes one. A new secret is in this one answer and nowhere else."""
    form, made, secret = WebhookForm(request.POST or None, initial={"events": list(EVENTS)}), None, ""
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = webhook_create(project=request.project, by=request.actor, **form.cleaned_data)
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            form = WebhookForm(initial={"events": list(EVENTS)})
    rows = list(webhooks_of(request.project))
    context = {"rows": rows, "form": form, "made": made, "secret": secret}
    return render(request, "core/webhooks.html", context, status=422 if form.errors else 200)


@project_view(Role.ADMIN)
@require_safe
def webhook(request: ProjectRequest, webhook_id: UUID) -> HttpResponse:
    """One webhook with the log of its deliveries."""
    found = webhook_get(project=request.project, id=webhook_id)
    context = {
        "webhook": found,
        "events": [EVENTS[event] for event in found.events],
        "page": keyset(deliveries_of(found), request),
    }
    return render(request, "core/webhook.html", context)


@project_view(Role.ADMIN)
@require_POST
def webhook_testing(request: ProjectRequest, webhook_id: UUID) -> HttpResponse:
    found = webhook_get(project=request.project, id=webhook_id)
    webhook_test(project=request.project, by=request.actor, webhook=found)
    messages.success(request, "A test is on its way; what came back will be in the log.")
    return redirect("core:webhook", request.project.slug, found.pk)


@project_view(Role.ADMIN)
@require_POST
def webhook_removal(request: ProjectRequest, webhook_id: UUID) -> HttpResponse:
    found = webhook_get(project=request.project, id=webhook_id)
    webhook_remove(project=request.project, by=request.actor, webhook=found)
    messages.success(request, f"{found.name} is told nothing more.")
    return redirect("core:webhooks", request.project.slug)


@project_view(Role.ADMIN)
@require_POST
def webhook_redelivery(request: ProjectRequest, webhook_id: UUID, delivery_id: UUID) -> HttpResponse:
    found = webhook_get(project=request.project, id=webhook_id)
    delivery = delivery_get(webhook=found, id=delivery_id)
    delivery_again(project=request.project, by=request.actor, delivery=delivery)
    messages.success(request, "It is delivered again.")
    return redirect("core:webhook", request.project.slug, found.pk)
