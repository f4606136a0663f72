"""Pages of jobs: the list, one as it trains, what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.datasets.streaming import stream_response
from apps.training.models import FineTuningJob
from apps.training.running.registering import job_register_checkpoint
from apps.training.running.services import job_retry, job_stop
from apps.training.watching.facts import base_words, device_words
from apps.training.watching.live import live_job, measurement_of, seen_of
from apps.training.watching.selectors import AT_WORK, checkpoint_get, job_get, job_list, log_of

JOBS_A_PAGE = 25


@project_view(Role.VIEWER)
@require_safe
def job_list_page(request: ProjectRequest) -> HttpResponse:
    """The list; htmx asks for its table alone, while any job in it is at work."""
    asked = {name: request.GET.get(name, "") for name in ("status", "method", "q")}
    page = keyset(job_list(project=request.project, **asked), request, size=JOBS_A_PAGE)
    context = {
        "page": page,
        "rows": [(job, base_words(job)) for job in page.rows],
        "waiting": any(job.status in AT_WORK for job in page.rows),
        **asked,
        "statuses": [("work", "At work"), *FineTuningJob.Status.choices],
        "methods": FineTuningJob.Method.choices,
        "is_filtered": any(asked.values()),
        "may_edit": request.actor.may(Role.EDITOR),
    }
    return render(request, "training/_job_table.html" if request.htmx else "training/job_list.html", context)


@project_view(Role.VIEWER)
@require_safe
def job_detail(request: ProjectRequest, number: int) -> HttpResponse:
    """A job with its curves. While it is at work htmx asks again with what it has `seen`: while that is all
    there is, nothing is sent and nothing on the page moves."""
    job = job_get(project=request.project, number=number)
    seen = request.GET.get("seen", "")
    samples_at = request.GET.get("samples", "")
    if job.status == FineTuningJob.Status.DRAFT and request.actor.may(Role.EDITOR):
        return redirect("training:job-plan", request.project.slug, number)
    if request.htmx and seen and seen == seen_of(job, measurement_of(job), samples_at):
        return HttpResponse(status=204)
    return _live(request, job, fragment=bool(request.htmx), watched=bool(seen))


def _live(
    request: ProjectRequest, job: FineTuningJob, *, fragment: bool, watched: bool = False
) -> HttpResponse:
    samples_at = request.GET.get("samples", "")
    live = live_job(job, samples_at=samples_at)
    context: dict[str, Any] = {
        "live": live,
        "job": job,
        "standing": live.standing,
        "base": base_words(job),
        "device": device_words(job),
        "query": urlencode({"seen": live.seen, **({"samples": samples_at} if samples_at else {})}),
        # Somebody who saw it being measured is taken to the comparison.
        "opens_comparison": watched,
        "may_edit": request.actor.may(Role.EDITOR),
        "fragment": fragment,
    }
    return render(request, "training/_job_answer.html" if fragment else "training/job_detail.html", context)


@project_view(Role.EDITOR)
@require_POST
def job_stop_page(request: ProjectRequest, number: int) -> HttpResponse:
    """Stop it; with `keep` what it has is registered."""
    keep = request.POST.get("keep") == "1"
    job = job_stop(job=job_get(project=request.project, number=number), by=request.actor, keep=keep)
    said = "It stops after its step, and keeps what it has." if keep else "It is being cancelled."
    if job.is_over:
        said = "It is cancelled."
    return _moved(request, number, said)


@project_view(Role.EDITOR)
@require_POST
def job_retry_page(request: ProjectRequest, number: int) -> HttpResponse:
    job_retry(job=job_get(project=request.project, number=number), by=request.actor)
    return _moved(request, number, "It goes on from its last checkpoint as soon as a worker is free.")


@project_view(Role.EDITOR)
@require_POST
def job_register_page(request: ProjectRequest, number: int, checkpoint_id: UUID) -> HttpResponse:
    """Have a version of the registry made from one checkpoint."""
    job = job_get(project=request.project, number=number)
    checkpoint = checkpoint_get(job, checkpoint_id)
    work = job_register_checkpoint(job=job, checkpoint=checkpoint, by=request.actor)
    return redirect("training:model-work", request.project.slug, work.pk)


def _moved(request: ProjectRequest, number: int, said: str) -> HttpResponse:
    if request.htmx:
        return _live(request, job_get(project=request.project, number=number), fragment=True)
    messages.success(request, said)
    return redirect("training:job-detail", request.project.slug, number)


@project_view(Role.VIEWER)
@require_safe
def job_log_file(request: ProjectRequest, number: int) -> HttpResponseBase:
    """The log as text, as far back as it is kept."""
    job = job_get(project=request.project, number=number)
    return stream_response(request, _log_lines(job), "text/plain; charset=utf-8", f"fine-tuning-{number}.log")


def _log_lines(job: FineTuningJob) -> Iterator[str]:
    for line in log_of(job).order_by("id").iterator(chunk_size=1000):
        yield f"{timezone.localtime(line.at):%Y-%m-%d %H:%M:%S} {line.level:<7} {line.text}\n"
