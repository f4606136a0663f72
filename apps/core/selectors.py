"""Reading people, projects, keys and the audit log."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from apps.core.actor import Actor
from apps.core.errors import NotFound
from apps.core.links import open_links
from apps.core.models import ApiKey, Membership, OneTimeLink, Project, User
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


def archived_projects_of(user: User) -> QuerySet[Project]:
    """Archived projects that the person may see, by name."""
    projects = Project.objects.filter(archived_at__isnull=False).order_by("name", "id")
    return projects if user.is_superuser else projects.filter(memberships__user=user)


def members_of(project: Project) -> QuerySet[Membership]:
    """The project's members with their people, highest role first, then by email."""
    return Membership.objects.filter(project=project).select_related("user").order_by("-role", "user__email")


def member_get(*, project: Project, member_id: UUID) -> Membership:
    """Raises NotFound."""
    member = members_of(project).filter(pk=member_id).first()
    if member is None:
        raise NotFound(f"{project} has no such member (any more).")
    return member


def invitations_of(project: Project) -> QuerySet[OneTimeLink]:
    """Invitations that can still be accepted, newest first."""
    return open_links(OneTimeLink.Purpose.INVITATION).filter(project=project).order_by("-id")


def api_keys_of(project: Project) -> QuerySet[ApiKey]:
    """Every key the project ever had, newest first."""
    return ApiKey.objects.filter(project=project).order_by("-id")


def api_key_get(*, project: Project, key_id: UUID) -> ApiKey:
    """Raises NotFound."""
    key = api_keys_of(project).filter(pk=key_id).first()
    if key is None:
        raise NotFound(f"{project} has no such key.")
    return key


def accounts_in_care(by: Actor, users: Iterable[User]) -> set[UUID]:
    """The ids of those whose accounts `by` may look after, by the rule of `may_look_after`."""
    doer = User.objects.filter(pk=by.id, is_active=True).first() if by.kind == "user" else None
    ids = {user.pk for user in users}
    if doer is None:
        return ids if by.kind == "system" else set()
    if doer.is_superuser:
        return ids
    administered = Membership.objects.filter(user=doer, role=Role.ADMIN).values("project")
    beyond = Membership.objects.filter(user__in=ids).exclude(project__in=administered).values("user")
    members = Membership.objects.filter(user__in=ids, user__is_superuser=False).exclude(user__in=beyond)
    return set(members.values_list("user", flat=True))


def may_look_after(*, by: Actor, user: User) -> bool:
    """Whether `by` may make a reset link for `user`, reset their second factor, or switch them off and on.

    That is as good as having the account itself, so it is given only to those who hold all that the
    account holds: superusers; and for a person who is none, an admin of every project the person is in.
    """
    return user.pk in accounts_in_care(by, [user])


def account_get(user_id: UUID) -> User:
    """Raises NotFound."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFound("There is no such account.")
    return user


def accounts(search: str = "") -> QuerySet[User]:
    """Every account whose email or name holds the search, with its number of projects as `project_count`."""
    found = User.objects.annotate(project_count=Count("memberships"))
    if search:
        found = found.filter(Q(email__icontains=search) | Q(name__icontains=search))
    return found


def anybody() -> bool:
    """Whether there is any account yet."""
    return User.objects.exists()


def user_by_email(email: str) -> User | None:
    return User.objects.filter(email__iexact=email).first()


def memberships_of(user: User) -> QuerySet[Membership]:
    """The person's memberships in projects that are not archived, by project name."""
    memberships = Membership.objects.filter(user=user, project__archived_at=None)
    return memberships.select_related("project").order_by("project__name")
