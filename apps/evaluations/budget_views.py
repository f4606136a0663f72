"""The page of a project's budget: what a month may cost, what it cost so far, and which runs did."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.core.errors import ProductError
from apps.core.forms import ProductForm
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.budget_services import MOST_USD, project_budget_set
from apps.evaluations.spending import month_runs, month_spending


class ProjectBudgetForm(ProductForm):
    month_usd = forms.DecimalField(
        label="Budget of a month",
        required=False,
        min_value=0,
        max_value=MOST_USD - 1,
        max_digits=12,
        decimal_places=6,
        help_text="US dollars a calendar month (UTC), for answers and judges of all runs. Empty: no limit.",
    )


@project_view(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def budget_page(request: ProjectRequest) -> HttpResponse:
    month = month_spending(project=request.project)
    initial = {"month_usd": None if month.budget is None else month.budget.normalize()}
    form = ProjectBudgetForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            project_budget_set(
                project=request.project, by=request.actor, month_usd=form.cleaned_data["month_usd"]
            )
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            messages.success(request, "The budget is saved. Runs under way keep to it.")
            return redirect("evaluations:budget", request.project.slug)
    context = {"form": form, "month": month, "runs": month_runs(project=request.project)}
    return render(request, "evaluations/budget.html", context, status=422 if form.errors else 200)
