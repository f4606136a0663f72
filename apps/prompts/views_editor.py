"""The page where a prompt is edited: its newest version in a form, saved as the next one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.prompts import selectors, services
from apps.prompts.content import VersionContent
from apps.prompts.diff import diff_versions
from apps.prompts.editor_forms import (
    ROLE_CHOICES,
    Editor,
    MessageRow,
    VersionForm,
    posted_rows,
    rearranged,
    rows_of,
    typed_values,
)
from apps.prompts.errors import StaleParentError
from apps.prompts.models import Prompt
from apps.prompts.preview import Preview, preview_of
from apps.prompts.rebasing import Rebased, rebased
from apps.providers.selectors import model_names

TIMELINE_LENGTH = 12
_VALUE = "inputs-"


@project_view(Role.VIEWER)
@require_safe
def prompt_detail(request: ProjectRequest, slug: str) -> HttpResponse:
    """The newest version, or that of ?version=, in the editor; read-only for those who may not edit."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    latest = selectors.version_latest(prompt=prompt)
    shown = latest
    if request.GET.get("version"):
        shown = selectors.version_get(prompt=prompt, version=request.GET["version"])
    models = model_names(project=request.project)
    form = VersionForm.of_version(shown, parent=latest.number if latest else None, models=models)
    rows = rows_of(shown.messages) if shown else [MessageRow(role="system"), MessageRow(role="user")]
    context = {"version": shown, "starts_from_older": shown != latest}
    return _page(request, prompt, Editor(rows, form), context=context)


@project_view(Role.EDITOR)
@require_POST
def version_save(request: ProjectRequest, slug: str) -> HttpResponse:
    """Save the posted form as the next version; whatever stands in the way, the form comes back whole."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    editor = _posted_editor(request)
    command = request.POST.get("edit", "")
    if command:
        editor.rows = rearranged(editor.rows, command)
        return _page(request, prompt, editor, context={"unsaved": True})
    raw = editor.raw()
    if raw is None:
        return _page(request, prompt, editor, status=400, context={"unsaved": True})
    try:
        parent = _parent(prompt, editor.form.cleaned_data["parent"])
        version = services.prompt_version_create(prompt=prompt, by=request.actor, parent=parent, **raw)
    except StaleParentError as error:
        return _conflict_page(request, prompt, error, raw)
    except ProductError as error:
        editor.show_error(error)
        return _page(request, prompt, editor, status=error.status, context={"unsaved": True})
    messages.success(request, f"Version {version.number} is saved.")
    return redirect("workbench:prompt", request.project.slug, slug)


@project_view(Role.VIEWER)
@require_POST
def prompt_preview(request: ProjectRequest, slug: str) -> HttpResponse:
    """Fragment: the posted messages' variables, and the messages rendered with the posted values."""
    prompt = selectors.prompt_get(project=request.project, slug=slug)
    context = {"preview": _preview(posted_rows(request.POST), request.POST), "prompt": prompt}
    return render(request, "prompts/_preview.html", context)


def _posted_editor(request: ProjectRequest) -> Editor:
    form = VersionForm(request.POST, models=model_names(project=request.project))
    return Editor(posted_rows(request.POST) or [MessageRow()], form)


def _rebased_editor(request: ProjectRequest, parent: int, edit: Rebased) -> Editor:
    """What was posted, with the newer version's values where nothing had been changed."""
    post = request.POST.copy()
    post["parent"] = str(parent)
    for name, value in typed_values(edit.content).items():
        if name in edit.taken:
            post[name] = "" if value is None else str(value)
    form = VersionForm(post, models=model_names(project=request.project))
    return Editor(rows_of(edit.content.messages), form)


def _parent(prompt: Prompt, number: int | None) -> services.Parent:
    return selectors.version_get(prompt=prompt, version=number) if number else None


def _preview(rows: list[MessageRow], post: QueryDict | None = None) -> Preview:
    texts = (
        {key.removeprefix(_VALUE): str(post[key]) for key in post if key.startswith(_VALUE)} if post else {}
    )
    raw = [row.as_raw(f"messages[{index}]", {}) for index, row in enumerate(rows)]
    return preview_of(messages=raw, texts=texts)


def _conflict_page(
    request: ProjectRequest, prompt: Prompt, error: StaleParentError, raw: dict[str, Any]
) -> HttpResponse:
    """Mine beside theirs: the form keeps what I changed, and now saves on top of their version."""
    mine = services.checked_content(raw["messages"], raw["parameters"], raw["tools"], raw["response_schema"])
    base = services.content_of(error.ours) if error.ours else VersionContent([])
    edit = rebased(base=base, mine=mine, theirs=services.content_of(error.theirs))
    author = (error.theirs.author_kind, error.theirs.author_id)
    context = {
        "conflict": error,
        "theirs": error.theirs,
        "is_own": author == (request.actor.kind, request.actor.id),
        "taken": [name.replace("_", " ") for name in edit.taken],
        "diff": diff_versions(error.theirs, edit.content),
        "unsaved": True,
    }
    editor = _rebased_editor(request, error.theirs.number, edit)
    return _page(request, prompt, editor, status=error.status, context=context)


def _page(
    request: ProjectRequest, prompt: Prompt, editor: Editor, *, status: int = 200, context: dict[str, Any]
) -> HttpResponse:
    timeline = list(selectors.version_history(prompt=prompt)[: TIMELINE_LENGTH + 1])
    values = {
        "prompt": prompt,
        "editor": editor,
        "empty_row": MessageRow(),
        "roles": ROLE_CHOICES,
        "timeline": timeline[:TIMELINE_LENGTH],
        "more_versions": len(timeline) > TIMELINE_LENGTH,
        "latest": timeline[0] if timeline else None,
        "preview": _preview(editor.rows, request.POST or None),
        "may_edit": request.actor.may(Role.EDITOR) and prompt.archived_at is None,
        "is_editor": request.actor.may(Role.EDITOR),
    }
    return render(request, "prompts/prompt.html", values | context, status=status)
