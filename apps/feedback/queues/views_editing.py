"""Pages on which a queue is made and changed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from apps.core.errors import ProductError
from apps.core.models import Project
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.evaluations.models import Evaluator
from apps.feedback.models import AnnotationQueue
from apps.feedback.queues.form import read_form
from apps.feedback.queues.form_rows import PRESETS, form_of_rows, rows_changed, rows_of_form, rows_sent
from apps.feedback.queues.forms import PREFIX, FieldFormSet, QueueForm
from apps.feedback.queues.selectors import queue_get
from apps.feedback.queues.services import adjudication_create, queue_archive, queue_create, queue_update

_MOST_JUDGES = 200
_SETTINGS = ("name", "instructions", "annotators_per_item", "order", "gold_percent")


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def queue_new(request: ProjectRequest) -> HttpResponse:
    """`?preset=` begins with one of the usual forms."""
    name = request.GET.get("preset", "")
    _, kind, rows = PRESETS.get(name, PRESETS["thumb"])
    initial = {"kind": kind, "annotators_per_item": 1, "gold_percent": 0}
    return _builder(request, None, initial, rows, preset=name if name in PRESETS else "thumb")


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def queue_edit(request: ProjectRequest, slug: str) -> HttpResponse:
    queue = queue_get(project=request.project, slug=slug)
    initial = {name: getattr(queue, name) for name in _SETTINGS}
    return _builder(request, queue, initial, rows_of_form(read_form(queue.form)))


def _builder(
    request: ProjectRequest,
    queue: AnnotationQueue | None,
    initial: dict[str, Any],
    rows: list[dict[str, Any]],
    preset: str = "",
) -> HttpResponse:
    judges = {"judges": _judges(request.project)}
    if request.method != "POST":
        form = QueueForm(initial=initial, making=queue is None)
        fields = FieldFormSet(initial=rows, prefix=PREFIX, form_kwargs=judges)
        return _page(request, queue, form, fields, preset)
    act = request.POST.get("do", "save")
    if act != "save":
        form = QueueForm(initial=request.POST.dict(), making=queue is None)
        changed = rows_changed(rows_sent(request.POST), act)
        return _page(
            request, queue, form, FieldFormSet(initial=changed, prefix=PREFIX, form_kwargs=judges), preset
        )
    form = QueueForm(request.POST, making=queue is None)
    fields = FieldFormSet(request.POST, prefix=PREFIX, form_kwargs=judges)
    if form.is_valid() and fields.is_valid():
        try:
            saved = _save(request, queue, form, fields)
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("feedback:queue-detail", request.project.slug, saved.slug)
    return _page(request, queue, form, fields, preset, status=400)


def _save(
    request: ProjectRequest, queue: AnnotationQueue | None, form: QueueForm, fields: Any
) -> AnnotationQueue:
    settings: dict[str, Any] = {name: form.cleaned_data[name] for name in _SETTINGS}
    settings["form"] = form_of_rows([row.cleaned_data for row in fields.forms])
    if queue is None:
        kind = form.cleaned_data["kind"] or AnnotationQueue.Kind.SINGLE
        return queue_create(project=request.project, by=request.actor, kind=kind, **settings)
    return queue_update(queue=queue, by=request.actor, **settings)


def _page(
    request: ProjectRequest,
    queue: AnnotationQueue | None,
    form: QueueForm,
    fields: Any,
    preset: str,
    status: int = 200,
) -> HttpResponse:
    presets = [(name, label) for name, (label, _, _) in PRESETS.items()]
    context = {"queue": queue, "form": form, "fields": fields, "presets": presets, "preset": preset}
    return render(request, "feedback/queue_form.html", context, status=status)


def _judges(project: Project) -> list[tuple[str, str]]:
    judges = Evaluator.objects.filter(project=project, archived_at=None).order_by("name")
    return list(judges.values_list("slug", "name")[:_MOST_JUDGES])


@project_view(Role.EDITOR)
@require_POST
def queue_archive_view(request: ProjectRequest, slug: str) -> HttpResponse:
    """`restore` brings it back."""
    queue = queue_get(project=request.project, slug=slug)
    queue_archive(queue=queue, by=request.actor, archived="restore" not in request.POST)
    return _to(request, queue)


@project_view(Role.EDITOR)
@require_POST
def queue_adjudicate(request: ProjectRequest, slug: str) -> HttpResponse:
    """Make the queue in which disagreements are settled, or go to the one that there is."""
    queue = queue_get(project=request.project, slug=slug)
    made = adjudication_create(queue=queue, by=request.actor)
    messages.success(request, "What annotators disagree on comes here, now and from now on.")
    return _to(request, made)


def _to(request: ProjectRequest, queue: AnnotationQueue) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("feedback:queue-detail", args=(request.project.slug, queue.slug)))
