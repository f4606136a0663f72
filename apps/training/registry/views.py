"""Pages of the registry that only read."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.training.measuring.selectors import Measured, measured_of, measured_of_list
from apps.training.models import ModelState, ModelVersion
from apps.training.registry import selectors
from apps.training.registry.cards import card_markdown, card_sections
from apps.training.registry.forms import DescriptionForm, NoteForm
from apps.training.registry.lineage_shown import shown_lineage
from apps.training.registry.uses import uses_of

State = ModelState.State


@dataclass(frozen=True, slots=True)
class Row:
    version: ModelVersion
    measured: Measured


@project_view(Role.VIEWER)
@require_safe
def model_list(request: ProjectRequest) -> HttpResponse:
    q, kind, state = (request.GET.get(name, "") for name in ("q", "kind", "state"))
    page = keyset(selectors.version_list(project=request.project, q=q, kind=kind, state=state), request)
    measured = measured_of_list(page.rows)
    context = {
        "page": page,
        "rows": [Row(version, measured[version.pk]) for version in page.rows],
        "works": selectors.works_shown(request.project),
        "kinds": ModelVersion.Kind.choices,
        "states": State.choices,
        "kind": kind,
        "state": state,
        "is_filtered": bool(q or kind or state),
        "can_edit": request.actor.may(Role.EDITOR),
    }
    return render(request, "training/model_list.html", context)


@project_view(Role.VIEWER)
@require_safe
def model_detail(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    version = selectors.version_get(project=request.project, name=name, number=number)
    can_edit = request.actor.may(Role.EDITOR)
    training_set = selectors.training_set_of(version)
    stored = list(version.files.order_by("path")[:500])
    context = {
        "version": version,
        "state": version.state,
        "measured": measured_of(version),
        "sections": [each for each in card_sections(version) if each.title in _SHOWN],
        "files": stored,
        "can_export": bool(stored) and all(file.stored_as for file in stored) and _is_there(version),
        "job": selectors.job_of(version),
        "training_set": training_set,
        "erased": bool(training_set and selectors.has_erased(training_set)),
        "ancestors": selectors.ancestors(version),
        "children": selectors.children(version),
        "siblings": selectors.siblings(version),
        "uses": uses_of(version),
        "notes": version.notes.order_by("id")[:100],
        "note_form": NoteForm() if can_edit else None,
        "description_form": DescriptionForm(initial={"description": version.state.description}),
        "can_edit": can_edit,
        "can_approve": request.actor.may(Role.APPROVER),
    }
    return render(request, "training/model_detail.html", context)


#: Sections of the card that the page shows as they are; the rest has a place of its own there.
_SHOWN = ("What it is", "How it was trained", "Training's own last figures", "Licences")


def _is_there(version: ModelVersion) -> bool:
    return version.state.state != State.DELETED


@project_view(Role.VIEWER)
@require_safe
def model_lineage(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    """The rows that a version was trained on, each with the judgements behind it."""
    version = selectors.version_get(project=request.project, name=name, number=number)
    splits = list(version.lineage.get("rows", {}))
    split = request.GET.get("split", "") if request.GET.get("split") in splits else ""
    page = keyset(selectors.trained_rows(version, split), request, order="position", size=20)
    context = {
        "version": version,
        "page": page,
        "rows": shown_lineage(version, page.rows),
        "splits": splits,
        "split": split,
        "training_set": selectors.training_set_of(version),
        "ancestors": [each for each in selectors.ancestors(version) if each.lineage],
    }
    return render(request, "training/model_lineage.html", context)


@project_view(Role.VIEWER)
@require_safe
def model_card(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    version = selectors.version_get(project=request.project, name=name, number=number)
    context = {"version": version, "state": version.state, "sections": card_sections(version)}
    return render(request, "training/model_card.html", context)


@project_view(Role.VIEWER)
@require_safe
def model_card_file(request: ProjectRequest, name: str, number: int) -> HttpResponse:
    version = selectors.version_get(project=request.project, name=name, number=number)
    response = HttpResponse(card_markdown(version), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{version.full_name}.md") or ""
    return response


@project_view(Role.VIEWER)
@require_safe
def model_work(request: ProjectRequest, work_id: UUID) -> HttpResponse:
    """A merge or an import; while it is under way, the part that is fetched anew each second."""
    work = selectors.work_get(project=request.project, id=work_id)
    template = "training/_model_work.html" if request.htmx else "training/model_work.html"
    return render(request, template, {"work": work})


@project_view(Role.VIEWER)
@require_safe
def models_of_person(request: ProjectRequest) -> HttpResponse:
    """Versions trained on the training sets ?set=…, for the page that erases a person: it names none."""
    asked = [text for text in request.GET.getlist("set")[:500] if text.isascii() and text.isdigit()]
    numbers = [int(text) for text in asked if len(text) < 10]
    versions = selectors.versions_of_sets(project=request.project, numbers=numbers)
    return render(request, "training/_models_of_person.html", {"versions": versions, "asked": bool(numbers)})
