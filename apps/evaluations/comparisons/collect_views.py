"""The dialogue that adds examples of a comparison to a dataset: one of them, or all that the filter shows."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.core.errors import NotFound, ProductError, TooLarge
from apps.core.forms import ProductForm
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets.models import Dataset
from apps.datasets.services import Added
from apps.datasets.services.adding import MOST_ADDED
from apps.evaluations.comparisons.collecting import collecting_datasets, default_name, rows_collect
from apps.evaluations.comparisons.row_pages import chosen_metric, row_query, shared_metrics
from apps.evaluations.comparisons.row_views import state_of
from apps.evaluations.comparisons.rows import ComparedRow, RowQuery, first_rows, pairs_of_example
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.templatetags.evaluations import example_name

#: In the session: the dataset that was chosen last, by project.
CHOSEN = "collects_into"


class CollectForm(ProductForm):
    """Which dataset; the first choice makes a new one with the name below."""

    dataset = forms.ChoiceField(label="Dataset", required=False)
    name = forms.CharField(
        label="Name of a new dataset",
        required=False,
        max_length=120,
        help_text="Only where a new one is made.",
    )

    def __init__(self, posted: Any | None, *, datasets: list[Dataset], chosen: str, name: str) -> None:
        """`chosen` is a slug; without such a dataset one called `name` is preselected, else a new one."""
        same_name = next((dataset.slug for dataset in datasets if dataset.name.lower() == name.lower()), "")
        known = {dataset.slug for dataset in datasets}
        super().__init__(posted, initial={"dataset": chosen if chosen in known else same_name, "name": name})
        options = [("", "A new dataset"), *((dataset.slug, dataset.name) for dataset in datasets)]
        self.fields["dataset"].choices = options  # type: ignore[attr-defined]
        self.datasets = {dataset.slug: dataset for dataset in datasets}

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not cleaned.get("dataset") and not cleaned.get("name") and not self.errors:
            self.add_error("name", "Give the new dataset a name.")
        return cleaned

    def chosen_dataset(self) -> Dataset | None:
        return self.datasets.get(self.cleaned_data["dataset"])


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def comparison_collect_page(request: ProjectRequest, number: int, example_id: UUID) -> HttpResponse:
    """Add one example."""
    state = state_of(request, number)
    rows = pairs_of_example(_query(state), example_id)[:1]
    if not rows:
        raise NotFound("No run of this comparison has such an example.")
    what = f"example {example_name(rows[0].item)}"
    address = reverse("evaluations:comparison-collect", args=[request.project.slug, number, example_id])
    return _collect(request, state, rows, what, address)


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def comparison_collect_all_page(request: ProjectRequest, number: int) -> HttpResponse:
    """Add every example that passes the filter of the address, up to MOST_ADDED."""
    state = state_of(request, number)
    rows = first_rows(_query(state), MOST_ADDED + 1) if request.method == "POST" else []
    if len(rows) > MOST_ADDED:
        raise TooLarge(
            f"More than {MOST_ADDED:,} rows pass the filter. Narrow it, or export them and import the file."
        )
    address = reverse("evaluations:comparison-collect-all", args=[request.project.slug, number])
    return _collect(request, state, rows, "the rows that the filter shows", address)


def _query(state: ComparisonState) -> RowQuery:
    return row_query(state, chosen_metric(state, shared_metrics(state)))


def _collect(
    request: ProjectRequest, state: ComparisonState, rows: list[ComparedRow], what: str, address: str
) -> HttpResponse:
    form = CollectForm(
        request.POST if request.method == "POST" else None,
        datasets=collecting_datasets(request.project),
        chosen=request.session.get(CHOSEN, {}).get(request.project.slug, ""),
        name=default_name(state),
    )
    if form.is_valid():
        try:
            dataset, added = rows_collect(
                project=request.project,
                by=request.actor,
                state=state,
                rows=rows,
                dataset=form.chosen_dataset(),
                name=form.cleaned_data["name"],
            )
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            return _done(request, state, dataset, added)
    template = (
        "evaluations/_comparison_collect.html" if request.htmx else "evaluations/comparison_collect.html"
    )
    context = {
        "comparison": state.comparison,
        "query": state.query(),
        "form": form,
        "what": what,
        "collect_url": f"{address}?{state.query()}",
    }
    return render(request, template, context, status=422 if form.errors else 200)


def _done(request: ProjectRequest, state: ComparisonState, dataset: Dataset, added: Added) -> HttpResponse:
    """The choice is kept for the next one; htmx closes the dialogue and says what came of it."""
    chosen = request.session.get(CHOSEN, {})
    request.session[CHOSEN] = {**chosen, request.project.slug: dataset.slug}
    words = _words(dataset, added)
    if request.htmx:
        news = {"notice": {"level": "success", "title": "", "detail": words}, "rows-collected": {}}
        return HttpResponse(status=204, headers={"HX-Trigger": json.dumps(news)})
    messages.success(request, words)
    address = reverse("evaluations:comparison-detail", args=[request.project.slug, state.comparison.number])
    return redirect(f"{address}?{state.query()}")


def _words(dataset: Dataset, added: Added) -> str:
    if added.version is None:
        return f"{dataset.name} has {'it' if added.already == 1 else 'all of them'} already."
    count = added.added + added.changed
    already = (
        f" {added.already:,} {'was' if added.already == 1 else 'were'} there already."
        if added.already
        else ""
    )
    examples = "example" if count == 1 else "examples"
    return f"{count:,} {examples} added to {dataset.name}, version {added.version.number}.{already}"
