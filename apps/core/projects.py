"""Projects: made, renamed, archived; and hooks by which higher rooms take part in a new project's making."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput, NameTaken, Refused
from apps.core.locks import transaction_lock
from apps.core.models import Membership, Project, User
from apps.core.roles import Role
from apps.core.slugs import clean_slug, unique_slug

ProjectHook = Callable[[Project, Actor], None]
_created: list[ProjectHook] = []
_LONGEST_NAME = 120
#: Names are compared by all projects, so those who give one take turns.
_NAMES = "project names"


def on_project_created(hook: ProjectHook) -> ProjectHook:
    """Register a function that runs in the transaction which makes a project (from an AppConfig.ready)."""
    if hook not in _created:
        _created.append(hook)
    return hook


def run_created_hooks(project: Project, by: Actor) -> None:
    for hook in _created:
        hook(project, by)


def may_create_projects(by: Actor) -> bool:
    """Superusers, and the system itself (its command line)."""
    if by.kind == "user":
        return User.objects.filter(pk=by.id, is_superuser=True, is_active=True).exists()
    return by.kind == "system"


def project_create(*, by: Actor, name: str, slug: str | None = None) -> Project:
    """Make a project; a person who makes one becomes its admin.

    The slug is made from the name where none is given. Raises NameTaken when a project has that slug, or
    one that is not archived has that name; Refused for people who are not superusers.
    """
    if not may_create_projects(by):
        raise Refused("Only a superuser makes projects. Ask the person who set up this installation.")
    name = _clean_name(name)
    slug = clean_slug(slug) if slug is not None else None
    with transaction.atomic():
        transaction_lock(_NAMES)
        _refuse_taken_name(name)
        if slug is not None and Project.objects.filter(slug=slug).exists():
            raise NameTaken(
                f"There is already a project with the slug {slug!r}. Choose another one.",
                fields={"slug": ["A project has this slug already; choose another one."]},
            )
        project = Project.objects.create(name=name, slug=slug or unique_slug(Project.objects.all(), name))
        if by.kind == "user":
            Membership.objects.create(project=project, user_id=by.id, role=Role.ADMIN)
        audit(by, "project.create", project, project=project, after={"name": name, "slug": project.slug})
        run_created_hooks(project, by)
    return project


def project_rename(*, project: Project, by: Actor, name: str) -> Project:
    """Give the project another name; its slug, and so its addresses, stay. Raises NameTaken."""
    name = _clean_name(name)
    with transaction.atomic():
        transaction_lock(_NAMES)
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if name == project.name:
            return project
        _refuse_taken_name(name, other_than=project)
        before = project.name
        project.name = name
        project.save(update_fields=["name"])
        audit(by, "project.rename", project, project=project, before={"name": before}, after={"name": name})
    return project


def project_archive(*, project: Project, by: Actor) -> Project:
    """Take the project out of lists and of the project switch. It stays readable at its address."""
    with transaction.atomic():
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if project.archived_at is None:
            project.archived_at = timezone.now()
            project.save(update_fields=["archived_at"])
            audit(
                by,
                "project.archive",
                project,
                project=project,
                before={"archived": False},
                after={"archived": True},
            )
    return project


def project_unarchive(*, project: Project, by: Actor) -> Project:
    """Put an archived project back. Raises NameTaken when another took its name meanwhile."""
    with transaction.atomic():
        transaction_lock(_NAMES)
        project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if project.archived_at is not None:
            _refuse_taken_name(project.name, other_than=project)
            project.archived_at = None
            project.save(update_fields=["archived_at"])
            audit(
                by,
                "project.unarchive",
                project,
                project=project,
                before={"archived": True},
                after={"archived": False},
            )
    return project


def _clean_name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise InvalidInput("Give the project a name.", fields={"name": ["Give the project a name."]})
    if len(name) > _LONGEST_NAME:
        problem = f"A project's name has at most {_LONGEST_NAME} characters; this one has {len(name)}."
        raise InvalidInput(problem, fields={"name": [problem]})
    return name


def _refuse_taken_name(name: str, *, other_than: Project | None = None) -> None:
    rivals = Project.objects.filter(name__iexact=name, archived_at=None)
    if other_than is not None:
        rivals = rivals.exclude(pk=other_than.pk)
    if rivals.exists():
        raise NameTaken(
            f"There is already a project called {name!r}. Choose another name.",
            fields={"name": ["A project has this name already; choose another one."]},
        )
