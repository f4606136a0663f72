"""API keys of a project: made and shown once, listed, revoked."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.api_keys import api_key_create, api_key_revoke
from apps.core.errors import ProductError
from apps.core.forms_people import ApiKeyForm
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.selectors import api_key_get, api_keys_of
from apps.core.views import ProjectRequest, project_view


@project_view(Role.ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def api_keys(request: ProjectRequest) -> HttpResponse:
    """The list, and the form that makes one. A new key is in this one answer and nowhere else."""
    form, key = (ApiKeyForm(request.POST or None, highest=Role(request.membership.role)), "")
    if request.method == "POST" and form.is_valid():
        wanted = {name: form.cleaned_data[name] for name in ("name", "role", "expires_at")}
        try:
            _, key = api_key_create(project=request.project, by=request.actor, **wanted)
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            form = ApiKeyForm(highest=Role(request.membership.role))
    page = keyset(api_keys_of(request.project), request)
    context = {"page": page, "form": form, "key": key, "api_url": request.build_absolute_uri("/api/v1/")}
    return render(request, "core/api_keys.html", context, status=400 if form.errors else 200)


@project_view(Role.ADMIN)
@require_POST
def api_key_revocation(request: ProjectRequest, key_id: UUID) -> HttpResponse:
    key = api_key_get(project=request.project, key_id=key_id)
    api_key_revoke(project=request.project, by=request.actor, key=key)
    messages.success(request, f"The key {key.name} is revoked: it does not work any more.")
    return redirect("core:api-keys", request.project.slug)
