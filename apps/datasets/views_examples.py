"""Pages: browsing and searching examples, looking at one, editing in the draft."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets import services
from apps.datasets.drafting import ExampleState, example_state
from apps.datasets.errors import StaleEdit
from apps.datasets.forms_example import ExampleForm
from apps.datasets.models import Dataset, DatasetVersion
from apps.datasets.presenting import as_one_text, example_rows, example_text, shown_columns
from apps.datasets.selectors import (
    dataset_get,
    draft_actions,
    example_get,
    example_search,
    latest_version,
    splits_of,
    version_get,
    version_list,
)
from apps.datasets.views import frame, number_from

_VERSIONS_OFFERED = 100


@project_view(Role.VIEWER)
@require_safe
def examples(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    number = number_from(request, "version")
    latest = latest_version(dataset)
    version = version_get(dataset=dataset, number=number) if number else latest
    context = frame(request, dataset, "examples") | {"version": version, "latest": latest}
    if version is not None:
        context |= _table(request, version)
    return render(request, "datasets/detail.html", context)


def _table(request: ProjectRequest, version: DatasetVersion) -> dict[str, Any]:
    asked = {name: request.GET.get(name, "").replace("\x00", "") for name in ("q", "split", "field", "value")}
    found = example_search(
        version, q=asked["q"], split=asked["split"], metadata=(asked["field"], asked["value"])
    )
    page = keyset(found, request, order="position")
    draft = draft_actions(version.dataset, [example.key for example in page.rows])
    return {
        "page": page,
        "rows": example_rows(version, page.rows, draft),
        "columns": shown_columns(version),
        "more_columns": len(version.columns.get("inputs", [])) - len(shown_columns(version)),
        "splits": splits_of(version),
        "metadata_names": version.columns.get("metadata", []),
        "versions": version_list(version.dataset)[:_VERSIONS_OFFERED],
        "asked": asked,
        "is_filtered": any(asked.values()),
    }


@project_view(Role.VIEWER)
@require_safe
def example(request: ProjectRequest, slug: str, example_id: UUID) -> HttpResponse:
    """One example in the drawer, or on a page of its own without htmx."""
    dataset = dataset_get(project=request.project, slug=slug)
    found = example_get(dataset=dataset, example_id=example_id)
    latest = latest_version(dataset)
    columns = latest.columns if latest else {}
    context = frame(request, dataset, "examples") | {"example": found, "shown": example_text(found, columns)}
    context["is_newest"] = found.valid_to is None
    context["draft_action"] = draft_actions(dataset, [found.key]).get(found.key, "")
    template = "datasets/_example.html" if request.htmx else "datasets/example.html"
    return render(request, template, context)


@project_view(Role.EDITOR)
def example_new(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    form = ExampleForm(request.POST or None, columns=_columns(dataset))
    if request.method == "POST" and form.is_valid():
        try:
            services.draft_example_save(
                dataset=dataset,
                by=request.actor,
                key=form.cleaned_data["key"],
                must_be_new=True,
                **form.cleaned_data["example"],
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, "Added to the draft. Publish the draft to make it a version.")
            return redirect("datasets:draft", request.project.slug, slug)
    context = frame(request, dataset, "examples") | {"form": form}
    return render(request, "datasets/example_form.html", context, status=400 if form.errors else 200)


@project_view(Role.EDITOR)
def example_edit(request: ProjectRequest, slug: str) -> HttpResponse:
    """The example is named by ?key=, since a key may hold any character."""
    dataset = dataset_get(project=request.project, slug=slug)
    state = example_state(dataset, request.GET.get("key", ""))
    form = _edit_form(request, dataset, state)
    newest = ""
    if request.method == "POST" and form.is_valid():
        try:
            services.draft_example_save(
                dataset=dataset,
                by=request.actor,
                key=state.key,
                seen=form.cleaned_data["seen"],
                **form.cleaned_data["example"],
            )
        except StaleEdit as error:
            newest, form = _newest_text(dataset, state), _resumed(form, state)
            form.add_product_error(error)
        except ProductError as error:
            form.add_product_error(error)
        else:
            messages.success(request, "Saved in the draft. Publish the draft to make it a version.")
            return redirect("datasets:draft", request.project.slug, slug)
    context = frame(request, dataset, "examples") | {"form": form, "state": state, "newest": newest}
    return render(request, "datasets/example_form.html", context, status=400 if form.errors else 200)


def _edit_form(request: ProjectRequest, dataset: Dataset, state: ExampleState) -> ExampleForm:
    values = {name: getattr(state, name) for name in ("inputs", "reference", "metadata", "split")}
    return ExampleForm(
        request.POST or None, columns=_columns(dataset), values=values, initial={"seen": state.revision}
    )


def _resumed(form: ExampleForm, state: ExampleState) -> ExampleForm:
    """The same form with what was typed, that starts from the newest state: saving it again is a choice."""
    form.data = {**form.data.dict(), "seen": state.revision}  # type: ignore[attr-defined]  # a QueryDict
    return form


def _newest_text(dataset: Dataset, state: ExampleState) -> str:
    if state.draft == "delete":
        return "Deleted in the draft."
    return as_one_text(state.change or state.current, _columns(dataset))


def _columns(dataset: Dataset) -> dict[str, Any]:
    latest = latest_version(dataset)
    return latest.columns if latest else {}


@project_view(Role.EDITOR)
@require_POST
def example_delete(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    key = request.POST.get("key", "").replace("\x00", "")
    services.draft_example_delete(dataset=dataset, by=request.actor, key=key)
    messages.success(request, "Marked as deleted in the draft. Publish the draft to make it a version.")
    return redirect("datasets:draft", request.project.slug, slug)
