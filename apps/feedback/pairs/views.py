"""Pages: a file of pairs, what its columns are, and how its import goes."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.core.errors import ProductError, Refused
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.feedback.models import PairImport
from apps.feedback.pairs.forms import MOST_QUEUES, PairMappingForm, PairUploadForm
from apps.feedback.pairs.mapping import guess_mapping
from apps.feedback.pairs.selectors import pair_import_get, pair_queue_get, pair_queues
from apps.feedback.pairs.services import pair_import_columns, pair_import_start, pair_import_upload


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def pairs_import(request: ProjectRequest) -> HttpResponse:
    """Upload a file; `queue` in the address chooses the queue beforehand."""
    form = PairUploadForm(
        request.POST or None,
        request.FILES or None,
        queues=list(pair_queues(project=request.project)[:MOST_QUEUES]),
        initial={"queue": request.GET.get("queue", ""), "further": 0},
    )
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            queue = pair_queue_get(project=request.project, slug=given["queue"]) if given["queue"] else None
            job, *_ = pair_import_upload(
                project=request.project,
                by=request.actor,
                file=given["file"],
                filename=given["file"].name,
                name=given["name"],
                queue=queue,
                further=given["further"] or 0,
            )
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("feedback:pairs-import-detail", request.project.slug, job.pk)
    return render(request, "feedback/pairs_import.html", {"form": form}, status=400 if form.errors else 200)


@project_view(Role.VIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def pairs_import_detail(request: ProjectRequest, import_id: UUID) -> HttpResponse:
    """Its columns, while they are to be chosen; then how far it has come, and what was no pair."""
    job = pair_import_get(project=request.project, import_id=import_id)
    choosing = job.status == PairImport.Status.UPLOADED
    if (choosing or request.method == "POST") and not request.actor.may(Role.EDITOR):
        raise Refused("An editor of the project chooses the columns of an import.")
    if choosing:
        return _mapping(request, job)
    context = {"job": job, "page": keyset(job.rejections.all(), request, order="line", size=50)}
    template = "feedback/_pairs_progress.html" if request.htmx else "feedback/pairs_import_detail.html"
    return render(request, template, context)


def _mapping(request: ProjectRequest, job: PairImport) -> HttpResponse:
    columns = pair_import_columns(job)
    form = PairMappingForm(request.POST or None, columns=columns, guessed=guess_mapping(columns))
    if request.method == "POST" and form.is_valid():
        try:
            pair_import_start(job=job, by=request.actor, mapping=form.mapping())
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("feedback:pairs-import-detail", request.project.slug, job.pk)
    context = {"job": job, "form": form}
    return render(request, "feedback/pairs_mapping.html", context, status=400 if form.errors else 200)
