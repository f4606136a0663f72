"""Pages of planning: a new job, and its draft until it is started."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.training.models import FineTuningJob
from apps.training.planning import services
from apps.training.planning.advice import advise
from apps.training.planning.choices import unusable_bases
from apps.training.planning.errors import JobStarted
from apps.training.planning.new_form import JobForm
from apps.training.planning.plan_form import SETTING, PlanForm
from apps.training.planning.presenting import estimates_shown, plan_shown
from apps.training.planning.presets import PRESETS
from apps.training.planning.selectors import judged_so_far
from apps.training.watching.selectors import job_get

Status = FineTuningJob.Status


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def job_new(request: ProjectRequest) -> HttpResponse:
    form = JobForm(request.POST or None, project=request.project, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        try:
            job = services.job_create(project=request.project, by=request.actor, **form.asked())
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("training:job-plan", request.project.slug, job.number)
    judged = judged_so_far(request.project)
    context = {
        "form": form,
        "judged": judged,
        "advice": advise(judged),
        "unusable": unusable_bases(request.project),
    }
    return render(request, "training/job_new.html", context, status=400 if form.errors else 200)


@project_view(Role.EDITOR)
@require_POST
def job_copy_page(request: ProjectRequest, number: int) -> HttpResponse:
    """A new draft that asks for the same; where that cannot be had any more, the form of a new job."""
    job = job_get(project=request.project, number=number)
    try:
        copy = services.job_copy(job=job, by=request.actor)
    except ProductError as error:
        messages.warning(request, f"{job.name} cannot be made again just as it was: {error.detail}")
        made = job.training_set
        rows = f"set={made.number}" if made else f"version={job.dataset_version_id}"
        return redirect(f"{reverse('training:job-new', args=[request.project.slug])}?{rows}")
    messages.success(request, f"A draft with all that {job.name} #{number} was asked. Change what you like.")
    return redirect("training:job-plan", request.project.slug, copy.number)


def _initial(request: ProjectRequest) -> dict[str, Any]:
    """What the address asks for: ?set=3 a training set, ?version=<id> of a dataset, fields by name."""
    rows = f"set:{request.GET['set']}" if request.GET.get("set") else ""
    if request.GET.get("version"):
        rows = f"version:{request.GET['version']}"
    named = {name: request.GET.get(name) for name in ("prompt", "base", "technique", "preset")}
    return {name: value for name, value in {"rows": rows, **named}.items() if value}


@project_view(Role.EDITOR)
@require_http_methods(["GET", "HEAD", "POST"])
def job_plan(request: ProjectRequest, number: int) -> HttpResponse:
    """The draft. Posted, it is saved; with `start` it is started, with `use_preset` it gets its settings."""
    job = job_get(project=request.project, number=number)
    if job.status != Status.DRAFT:
        return _started_meanwhile(request, job)
    form = PlanForm(_posted(request, job), job=job)
    if request.method == "POST" and form.is_valid():
        try:
            job = services.job_update(job=job, by=request.actor, **_changes(request, form))
            if "start" in request.POST:
                return _started(request, services.job_ask_start(job=job, by=request.actor))
        except JobStarted:
            return _started_meanwhile(request, job)
        except ProductError as error:
            form.add_product_error(error)
        else:
            return redirect("training:job-plan", request.project.slug, number)
    context = plan_shown(job, form) | {"form": form, "presets": PRESETS}
    return render(request, "training/job_plan.html", context, status=400 if form.errors else 200)


def _posted(request: ProjectRequest, job: FineTuningJob) -> QueryDict | None:
    """A preset gives every setting anew, so what was typed for them need not even be valid."""
    if "use_preset" not in request.POST:
        return request.POST or None
    posted = request.POST.copy()
    for name, value in job.settings.items():
        posted[SETTING + name] = str(value)
    return posted


def _started_meanwhile(request: ProjectRequest, job: FineTuningJob) -> HttpResponse:
    """Somebody else may have started what this person still had open as a draft."""
    if request.method == "POST":
        messages.warning(request, f"{job.name} was started meanwhile, so nothing of your draft was saved.")
    return redirect("training:job-detail", request.project.slug, job.number)


def _changes(request: ProjectRequest, form: PlanForm) -> dict[str, Any]:
    changes = form.changes()
    if preset := request.POST.get("use_preset"):
        changes["preset"] = preset
        del changes["settings"]
    return changes


def _started(request: ProjectRequest, job: FineTuningJob) -> HttpResponse:
    if job.status == Status.DRAFT:
        messages.info(request, "It starts as soon as its data is checked.")
        return redirect("training:job-plan", request.project.slug, job.number)
    messages.success(request, f"{job.name} is started.")
    return redirect("training:job-detail", request.project.slug, job.number)


@project_view(Role.EDITOR)
@require_safe
def job_checks(request: ProjectRequest, number: int) -> HttpResponse:
    """The checks as they come, with the preview and the estimates once they are there."""
    job = job_get(project=request.project, number=number)
    if job.status != Status.DRAFT:
        url = reverse("training:job-detail", args=[request.project.slug, number])
        return HttpResponseClientRedirect(url)
    form = PlanForm(job=job)
    return render(request, "training/_plan_answer.html", plan_shown(job, form) | {"form": form})


@project_view(Role.EDITOR)
@require_POST
def job_parts(request: ProjectRequest, number: int) -> HttpResponse:
    """What follows from the form as it stands: estimates, and the options of selects. Saves nothing."""
    job = job_get(project=request.project, number=number)
    form = PlanForm(request.POST, job=job)
    return render(request, "training/_plan_parts.html", {"form": form, **estimates_shown(job, form)})


@project_view(Role.EDITOR)
@require_POST
def job_check(request: ProjectRequest, number: int) -> HttpResponse:
    job = job_get(project=request.project, number=number)
    try:
        services.job_check_again(job=job)
    except JobStarted:
        return _started_meanwhile(request, job)
    return redirect("training:job-plan", request.project.slug, number)


@project_view(Role.EDITOR)
@require_POST
def job_discard(request: ProjectRequest, number: int) -> HttpResponse:
    job = job_get(project=request.project, number=number)
    try:
        services.job_delete(job=job, by=request.actor)
    except JobStarted:
        return _started_meanwhile(request, job)
    messages.success(request, f"The draft {job.name} is thrown away.")
    return redirect("training:job-list", request.project.slug)
