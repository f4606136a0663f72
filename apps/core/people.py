"""Members of a project: invited by a link, given roles, removed. Nobody gives a role above their own."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.urls import reverse

from apps.core.accounts import clean_email, user_create
from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import Conflict, NotFound, Refused
from apps.core.links import Purpose, link_create, link_get, link_use, links_void, open_links
from apps.core.models import Membership, Project, User
from apps.core.roles import Role

INVITATION_LASTS = timedelta(days=7)


class LastAdmin(Conflict):
    """A project without an admin could never get one again."""

    code = "last_admin"
    title = "This is the last admin"


class InvitationForSomebodyElse(Refused):
    code = "invitation_for_somebody_else"
    title = "This invitation is for somebody else"


def member_invite(*, project: Project, by: Actor, email: str, role: Role) -> str:
    """Invite a person; returns the path of the link to send them. It works once, within 7 days.

    An older invitation of the same person to the project is void from now on.
    Raises Refused for a role above the inviter's, Conflict when the person is a member.
    """
    email = clean_email(email)
    _refuse_role_above(by, role)
    with transaction.atomic():
        _lock(project)
        if Membership.objects.filter(project=project, user__email__iexact=email).exists():
            problem = f"{email} is a member of {project} already."
            raise Conflict(problem, fields={"email": [problem]})
        links_void(open_links(Purpose.INVITATION).filter(project=project, email=email))
        link, token = link_create(
            Purpose.INVITATION,
            lasts=INVITATION_LASTS,
            project=project,
            email=email,
            role=role,
            made_by=by.label,
        )
        audit(by, "member.invite", link, project=project, after={"email": email, "role": role.label})
    return reverse("core:invitation", args=[token])


def invitation_withdraw(*, project: Project, by: Actor, invitation_id: UUID) -> None:
    """End an invitation before it was used. Raises NotFound."""
    with transaction.atomic():
        invitation = (
            open_links(Purpose.INVITATION)
            .select_for_update()
            .filter(project=project, pk=invitation_id)
            .first()
        )
        if invitation is None:
            raise NotFound("This invitation was used or withdrawn already.")
        before = {"email": invitation.email, "role": Role(invitation.role or Role.VIEWER).label}
        audit(by, "member.withdraw_invitation", invitation, project=project, before=before)
        invitation.delete()


def invitation_accept(
    *, token: str, user: User | None = None, name: str = "", password: str = "", address: str = ""
) -> Membership:
    """Join the project: as `user` who is signed in, else with a new account of the invited address.

    Raises LinkNotValid, InvitationForSomebodyElse when `user` has another address, and Conflict when
    nobody is signed in but the invited person has an account (they must sign in first).
    """
    with transaction.atomic():
        link = link_get(Purpose.INVITATION, token, lock=True)
        assert link.project is not None  # every invitation has both
        assert link.role is not None
        _lock(link.project)
        if user is None:
            inviter = Actor(
                kind="system", id="", label=f"invitation by {link.made_by}"[:254], address=address
            )
            user = user_create(by=inviter, email=link.email, name=name, password=password)
        elif user.email.lower() != link.email.lower():
            raise InvitationForSomebodyElse(
                f"You are signed in as {user.email}; the invitation is for {link.email}. "
                "Sign out, then open it again."
            )
        role = Role(link.role)
        member, joined = Membership.objects.get_or_create(
            project=link.project, user=user, defaults={"role": role}
        )
        link_use(link)
        if joined:
            person = Actor(kind="user", id=str(user.pk), label=user.email, role=role, address=address)
            after = {"email": user.email, "role": role.label, "invited_by": link.made_by}
            audit(person, "member.join", member, project=link.project, after=after)
    return member


def member_role_change(*, project: Project, by: Actor, user: User, role: Role) -> Membership:
    """Give a member another role. Raises NotFound, LastAdmin, and Refused for a role above the giver's."""
    _refuse_role_above(by, role)
    with transaction.atomic():
        _lock(project)
        _refuse_lost_authority(project, by)
        member = _member(project, user)
        before = Role(member.role)
        if before == role:
            return member
        if before == Role.ADMIN:
            _refuse_last_admin(project, member, "given a lower role")
        member.role = role
        member.save(update_fields=["role"])
        _void_invitations_above(project, user, role)
        audit(
            by,
            "member.change_role",
            member,
            project=project,
            before={"role": before.label},
            after={"role": role.label},
        )
    return member


def member_remove(*, project: Project, by: Actor, user: User) -> None:
    """Take a person out of the project; what they made stays. Raises NotFound, LastAdmin."""
    with transaction.atomic():
        _lock(project)
        _refuse_lost_authority(project, by)
        member = _member(project, user)
        if member.role == Role.ADMIN:
            _refuse_last_admin(project, member, "removed")
        _void_invitations_above(project, user, None)
        before = {"email": user.email, "role": member.role_name}
        audit(by, "member.remove", member, project=project, before=before)
        member.delete()


def _lock(project: Project) -> None:
    """One change of a project's members at a time. NO KEY: rows that refer to it go on being made."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _member(project: Project, user: User) -> Membership:
    member = Membership.objects.select_related("user").filter(project=project, user=user).first()
    if member is None:
        raise NotFound(f"{user.email} is not a member of {project} any more.")
    return member


def _refuse_role_above(by: Actor, role: Role) -> None:
    if by.role is None or role > by.role:
        own = by.role.label if by.role else "none"
        raise Refused(f"You cannot give the role {role.label}: yours is {own}.")


def _refuse_lost_authority(project: Project, by: Actor) -> None:
    """The doer may have been removed or demoted while waiting for the lock."""
    if by.kind != "user" or User.objects.filter(pk=by.id, is_superuser=True).exists():
        return
    if not Membership.objects.filter(project=project, user_id=by.id, role=Role.ADMIN).exists():
        raise Refused(f"You are not an admin of {project} any more.")


def _refuse_last_admin(project: Project, member: Membership, what: str) -> None:
    others = Membership.objects.filter(project=project, role=Role.ADMIN, user__is_active=True).exclude(
        pk=member.pk
    )
    if not others.exists():
        raise LastAdmin(
            f"{member.user.email} is the last admin of {project} and cannot be {what}. "
            "Make somebody else admin first."
        )


def _void_invitations_above(project: Project, inviter: User, role: Role | None) -> None:
    """What a person may no longer give, the invitations they made may not give either."""
    theirs = open_links(Purpose.INVITATION).filter(project=project, made_by=inviter.email)
    links_void(theirs if role is None else theirs.filter(role__gt=role))
