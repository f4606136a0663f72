"""The page that scores outputs which a dataset holds already: no model is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.core.errors import ProductError
from apps.core.forms import ProductForm
from apps.core.models import Project
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.run_choices import run_choices
from apps.evaluations.run_requests import run_request
from apps.evaluations.run_services import RunRequest, eval_run_create


class ColumnRunForm(ProductForm):
    """A run whose outputs are a column's values. `chosen` names the dataset whose columns are offered."""

    output_column = forms.ChoiceField(
        label="Column with the outputs", help_text="An example without a value there fails, and is no zero."
    )
    evaluators = forms.MultipleChoiceField(
        label="Evaluators", required=False, widget=forms.CheckboxSelectMultiple
    )
    name = forms.CharField(
        label="Name",
        required=False,
        max_length=200,
        help_text="Such as the system that made the outputs. Without one, the run is called by its number.",
    )

    def __init__(self, *, project: Project, chosen: Mapping[str, Any], posted: Any = None) -> None:
        super().__init__(posted)
        self.project = project
        self.choices = run_choices(
            project=project,
            prompt="",
            prompt_version="",
            dataset=str(chosen.get("dataset") or ""),
            dataset_version=str(chosen.get("dataset_version") or ""),
            model="",
        )
        version = self.choices.dataset_version
        columns = version.columns if version else {}
        names = [*columns.get("metadata", []), *columns.get("inputs", [])]
        for field, options in (
            ("output_column", [(name, name) for name in names]),
            ("evaluators", self.choices.evaluators),
        ):
            chooser = self.fields[field]
            assert isinstance(chooser, forms.ChoiceField)
            chooser.choices = options

    def request(self) -> RunRequest:
        """What the valid form asks for. Raises InvalidInput at a field whose name is not there any more."""
        version = self.choices.dataset_version
        assert version is not None
        return run_request(
            project=self.project,
            dataset=version.dataset.slug,
            dataset_version=version.number,
            **self.cleaned_data,
        )


@require_http_methods(["GET", "POST"])
@project_view(Role.EDITOR)
def column_run_page(request: ProjectRequest) -> HttpResponse:
    """First the dataset is chosen (by the address), then the column and the evaluators."""
    form = ColumnRunForm(
        project=request.project,
        chosen=request.GET,
        posted=request.POST if request.method == "POST" else None,
    )
    if form.is_bound and form.choices.dataset_version is not None and form.is_valid():
        try:
            run = eval_run_create(project=request.project, by=request.actor, request=form.request())
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            return redirect("evaluations:run-detail", request.project.slug, run.number)
    status = 422 if form.errors else 200
    return render(request, "evaluations/column_run.html", {"form": form}, status=status)
