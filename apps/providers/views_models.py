"""Models of a provider, their prices, and tests of its connection."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.providers.connection_tests import connection_test_start
from apps.providers.forms import ModelForm, PriceForm
from apps.providers.model_services import model_add, model_price_set
from apps.providers.selectors import connection_test_get, model_get, model_price, provider_get


@project_view(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def model_new(request: ProjectRequest, slug: str) -> HttpResponse:
    provider = provider_get(project=request.project, slug=slug)
    form = ModelForm(request.POST or None, prefix="model")
    if request.method == "POST" and form.is_valid():
        try:
            model = model_add(
                project=request.project, by=request.actor, provider=provider, **form.cleaned_data
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, f"{model.name} is added.")
            return redirect("providers:detail", request.project.slug, slug)
    context = {"form": form, "provider": provider}
    return render(request, "providers/model_form.html", context, status=400 if form.errors else 200)


@project_view(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def model_pricing(request: ProjectRequest, slug: str, model_id: UUID) -> HttpResponse:
    provider = provider_get(project=request.project, slug=slug)
    model = model_get(provider=provider, id=model_id)
    form = PriceForm(request.POST or None, model=model)
    if request.method == "POST" and form.is_valid():
        try:
            model_price_set(project=request.project, by=request.actor, model=model, price=form.price())
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, f"The price of {model.name} is saved. It holds for new calls.")
            return redirect("providers:detail", request.project.slug, slug)
    context = {"form": form, "provider": provider, "model": model, "current": model_price(model)}
    return render(request, "providers/price_form.html", context, status=400 if form.errors else 200)


@project_view(Role.ADMIN)
@require_POST
def test_start(request: ProjectRequest, slug: str) -> HttpResponse:
    provider = provider_get(project=request.project, slug=slug)
    test = connection_test_start(
        project=request.project,
        by=request.actor,
        provider=provider,
        model_name=request.POST.get("model", ""),
    )
    if not request.htmx:
        return redirect("providers:detail", request.project.slug, slug)
    return render(request, "providers/_test.html", {"provider": provider, "test": test})


@project_view(Role.VIEWER)
@never_cache
@require_safe
def test_status(request: ProjectRequest, slug: str, test_id: UUID) -> HttpResponse:
    """The test as it stands; asks for itself again until the test is over, then shows the new models."""
    test = connection_test_get(project=request.project, slug=slug, id=test_id)
    response = render(request, "providers/_test.html", {"provider": test.provider, "test": test})
    if request.htmx and test.status == test.Status.OK:
        response["HX-Refresh"] = "true"
    return response
