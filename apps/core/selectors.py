"""Reading people, projects, keys and the audit log."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.core.models import Membership, Project, User
from apps.core.roles import Role


def membership_of(*, user: User, project_slug: str) -> Membership | None:
    """The person's membership in the project; a superuser is admin of each, without a row."""
    found = Membership.objects.select_related("project").filter(user=user, project__slug=project_slug).first()
    if found is None and user.is_superuser:
        project = Project.objects.filter(slug=project_slug).first()
        if project is not None:
            return Membership(project=project, user=user, role=Role.ADMIN)
    return found


def projects_of(user: User) -> QuerySet[Project]:
    """The projects a person may see, by name."""
    projects = Project.objects.filter(archived_at=None).order_by("name", "id")
    return projects if user.is_superuser else projects.filter(memberships__user=user)
