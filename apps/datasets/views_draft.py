"""Pages: the draft, its conflicts, publishing it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets import services
from apps.datasets.drafting import find_conflicts, pending_changes
from apps.datasets.forms import PublishForm
from apps.datasets.models import DraftChange
from apps.datasets.presenting import as_one_text
from apps.datasets.selectors import dataset_get, draft_changes, draft_changes_out_of_date, latest_version
from apps.datasets.views import frame

_CONFLICTS_SHOWN = 50


@project_view(Role.VIEWER)
@require_safe
def draft(request: ProjectRequest, slug: str) -> HttpResponse:
    return _draft_page(request, slug, PublishForm())


def _draft_page(request: ProjectRequest, slug: str, form: PublishForm, status: int = 200) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    latest = latest_version(dataset)
    columns = latest.columns if latest else {}
    page = keyset(draft_changes(dataset), request, order="id", size=20)
    conflicts = find_conflicts(dataset, list(draft_changes_out_of_date(dataset)[: _CONFLICTS_SHOWN * 20]))
    context = frame(request, dataset, "draft") | {
        "form": form,
        "page": page,
        "rows": [
            (pending, as_one_text(pending.change.base, columns), _after(pending.change, columns))
            for pending in pending_changes(dataset, page.rows)
        ],
        "conflict_count": len(conflicts),
        "conflicts": [
            (conflict, _after(conflict.change, columns), as_one_text(conflict.current, columns) or "Removed.")
            for conflict in conflicts[:_CONFLICTS_SHOWN]
        ],
        "next_number": latest.number + 1 if latest else 1,
    }
    return render(request, "datasets/draft.html", context, status=status)


def _after(change: DraftChange, columns: dict[str, list[str]]) -> str:
    return "Deleted." if change.action == DraftChange.Action.DELETE else as_one_text(change, columns)


@project_view(Role.EDITOR)
@require_POST
def draft_publish(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    form = PublishForm(request.POST)
    if form.is_valid():
        try:
            version = services.draft_publish(dataset=dataset, by=request.actor, **form.cleaned_data)
        except ProductError as error:
            form.add_product_error(error)
            return _draft_page(request, slug, form, status=error.status)
        if version is None:
            messages.info(request, "The draft came to nothing new, so there is no new version.")
        else:
            messages.success(request, f"Published as version {version.number}.")
        return redirect("datasets:detail", request.project.slug, slug)
    return _draft_page(request, slug, form, status=400)


@project_view(Role.EDITOR)
@require_POST
def draft_discard(request: ProjectRequest, slug: str) -> HttpResponse:
    """One change, named by `key`, or all of them."""
    dataset = dataset_get(project=request.project, slug=slug)
    key = request.POST.get("key", "").replace("\x00", "")
    if key:
        services.draft_change_discard(dataset=dataset, by=request.actor, key=key)
        messages.success(request, "The change is taken back.")
    else:
        count = services.draft_discard(dataset=dataset, by=request.actor)
        messages.success(request, f"{count} changes are taken back.")
    return redirect("datasets:draft", request.project.slug, slug)


@project_view(Role.EDITOR)
@require_POST
def draft_keep(request: ProjectRequest, slug: str) -> HttpResponse:
    dataset = dataset_get(project=request.project, slug=slug)
    key = request.POST.get("key", "").replace("\x00", "")
    services.draft_change_keep(dataset=dataset, by=request.actor, key=key, over=request.POST.get("over", ""))
    messages.success(request, "Your change goes over the newer one when the draft is published.")
    return redirect("datasets:draft", request.project.slug, slug)
