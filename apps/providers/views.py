"""Pages of this room: the list, one provider with its models, and its form."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.providers.forms import EditProviderForm, ModelForm, NewProviderForm
from apps.providers.selectors import (
    connection_test_newest,
    model_rows,
    models_of,
    provider_get,
    provider_list,
)
from apps.providers.services import provider_archive, provider_create, provider_update


@project_view(Role.VIEWER)
@require_safe
def provider_index(request: ProjectRequest) -> HttpResponse:
    archived = request.GET.get("archived") == "1"
    page = keyset(provider_list(project=request.project, archived=archived), request, order="name")
    context = {"page": page, "archived": archived, "may_change": request.actor.may(Role.ADMIN)}
    return render(request, "providers/list.html", context)


@project_view(Role.VIEWER)
@require_safe
def provider_detail(request: ProjectRequest, slug: str) -> HttpResponse:
    provider = provider_get(project=request.project, slug=slug)
    query = request.GET.get("q", "").strip()
    page = keyset(models_of(provider=provider, query=query), request, order="name")
    context = {
        "provider": provider,
        "page": page,
        "query": query,
        "rows": model_rows(page.rows),
        "test": connection_test_newest(provider=provider),
        "model_form": ModelForm(prefix="model"),
        "may_change": request.actor.may(Role.ADMIN) and provider.archived_at is None,
    }
    return render(request, "providers/detail.html", context)


@project_view(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def provider_new(request: ProjectRequest) -> HttpResponse:
    form = NewProviderForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            provider = provider_create(
                project=request.project,
                by=request.actor,
                kind=form.cleaned_data["kind"],
                settings=form.settings(),
                api_key=form.cleaned_data["api_key"],
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("providers:detail", request.project.slug, provider.slug)
    return render(request, "providers/form.html", {"form": form}, status=400 if form.errors else 200)


@project_view(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def provider_edit(request: ProjectRequest, slug: str) -> HttpResponse:
    provider = provider_get(project=request.project, slug=slug)
    form = EditProviderForm(request.POST or None, provider=provider)
    if request.method == "POST" and form.is_valid():
        try:
            provider_update(
                project=request.project,
                by=request.actor,
                provider=provider,
                settings=form.settings(),
                api_key=form.new_key(),
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, "The changes are saved.")
            return redirect("providers:detail", request.project.slug, provider.slug)
    context = {"form": form, "provider": provider}
    return render(request, "providers/form.html", context, status=400 if form.errors else 200)


@project_view(Role.ADMIN)
@require_POST
def provider_archiving(request: ProjectRequest, slug: str) -> HttpResponse:
    provider = provider_get(project=request.project, slug=slug)
    provider_archive(project=request.project, by=request.actor, provider=provider)
    messages.success(request, f"{provider.name} is archived.")
    return redirect("providers:list", request.project.slug)
