"""The way in: the list of projects, a new project, a project's start page and its settings."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.core.errors import ProductError
from apps.core.forms_people import ProjectForm
from apps.core.projects import project_archive, project_create, project_rename, project_unarchive
from apps.core.roles import Role
from apps.core.selectors import archived_projects_of, members_of, projects_of
from apps.core.start import next_steps
from apps.core.views import ProjectRequest, UserRequest, project_view, signed_in, superuser_view, user_actor

_LAST_PROJECT = "last_project"


@signed_in
@require_safe
def home(request: UserRequest) -> HttpResponse:
    """The project seen last, the only one, or the list of them all (always with ?all)."""
    projects = list(projects_of(request.user))
    if "all" not in request.GET:
        last = [p for p in projects if p.slug == request.session.get(_LAST_PROJECT)]
        if last or len(projects) == 1:
            return redirect("core:project-home", (last or projects)[0].slug)
    context = {"projects": projects, "archived": archived_projects_of(request.user)}
    return render(request, "core/home.html", context)


@superuser_view
def project_new(request: UserRequest) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            project = project_create(by=user_actor(request), name=form.cleaned_data["name"])
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            return redirect("core:project-home", project.slug)
    return render(request, "core/project_new.html", {"form": form}, status=400 if form.errors else 200)


@project_view(Role.VIEWER)
@require_safe
def project_home(request: ProjectRequest) -> HttpResponse:
    request.session[_LAST_PROJECT] = request.project.slug
    context = {"steps": next_steps(request.project)}
    return render(request, "core/project_home.html", context)


@project_view(Role.ADMIN)
def project_settings(request: ProjectRequest) -> HttpResponse:
    form = ProjectForm(request.POST or None, initial={"name": request.project.name})
    if request.method == "POST" and form.is_valid():
        try:
            project_rename(project=request.project, by=request.actor, name=form.cleaned_data["name"])
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            messages.success(request, "The name is saved.")
            return redirect("core:project-settings", request.project.slug)
    context = {"form": form, "member_count": members_of(request.project).count()}
    return render(request, "core/project_settings.html", context, status=400 if form.errors else 200)


@project_view(Role.ADMIN, while_archived=True)
@require_POST
def project_archiving(request: ProjectRequest) -> HttpResponse:
    """Archive the project, or bring it back (?undo in the form)."""
    if "undo" in request.POST:
        project_unarchive(project=request.project, by=request.actor)
        messages.success(request, f"{request.project} is back.")
        return redirect("core:project-settings", request.project.slug)
    project_archive(project=request.project, by=request.actor)
    messages.success(request, f"{request.project} is archived. It can be brought back on its settings page.")
    return redirect(f"{reverse('core:home')}?all")
