"""The members of a project: who, with which role; invitations; reset links."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.core.accounts import password_reset_link
from apps.core.errors import InvalidInput, ProductError
from apps.core.forms_people import InviteForm, RoleForm, roles_up_to
from apps.core.people import invitation_withdraw, member_invite, member_remove, member_role_change
from apps.core.roles import Role
from apps.core.selectors import accounts_in_care, invitations_of, member_get, members_of
from apps.core.views import ProjectRequest, project_view


@project_view(Role.VIEWER)
@require_safe
def members(request: ProjectRequest) -> HttpResponse:
    return _members_page(request)


@project_view(Role.ADMIN)
@never_cache
@require_POST
def member_invitation(request: ProjectRequest) -> HttpResponse:
    """Make an invitation, and show its link on the same page, this once."""
    form = InviteForm(request.POST, highest=_highest(request))
    if form.is_valid():
        try:
            path = member_invite(project=request.project, by=request.actor, **form.cleaned_data)
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            return _members_page(
                request, link=_link(request, path, form.cleaned_data["email"], "invitation", "7 days")
            )
    return _members_page(request, form=form, status=400)


@project_view(Role.ADMIN)
@require_POST
def member_invitation_withdraw(request: ProjectRequest, invitation_id: UUID) -> HttpResponse:
    invitation_withdraw(project=request.project, by=request.actor, invitation_id=invitation_id)
    messages.success(request, "The invitation is withdrawn: its link does not work any more.")
    return redirect("core:members", request.project.slug)


@project_view(Role.ADMIN)
@require_POST
def member_role(request: ProjectRequest, member_id: UUID) -> HttpResponse:
    member = member_get(project=request.project, member_id=member_id)
    form = RoleForm(request.POST, highest=_highest(request))
    if not form.is_valid():
        raise InvalidInput("Choose one of the roles that you may give.")
    role = form.cleaned_data["role"]
    try:
        member_role_change(project=request.project, by=request.actor, user=member.user, role=role)
    except ProductError as exc:
        return _members_page(request, error=exc, status=exc.status)
    messages.success(request, f"{member.user.email} is {role.label} now.")
    return redirect("core:members", request.project.slug)


@project_view(Role.ADMIN)
@require_POST
def member_removal(request: ProjectRequest, member_id: UUID) -> HttpResponse:
    member = member_get(project=request.project, member_id=member_id)
    try:
        member_remove(project=request.project, by=request.actor, user=member.user)
    except ProductError as exc:
        return _members_page(request, error=exc, status=exc.status)
    messages.success(request, f"{member.user.email} is not a member of {request.project} any more.")
    if member.user == request.user and not request.user.is_superuser:
        return redirect("core:home")
    return redirect("core:members", request.project.slug)


@project_view(Role.ADMIN)
@never_cache
@require_POST
def member_reset_link(request: ProjectRequest, member_id: UUID) -> HttpResponse:
    """Make a link by which the member sets a new password, and show it this once."""
    member = member_get(project=request.project, member_id=member_id)
    path = password_reset_link(by=request.actor, user=member.user, project=request.project)
    return _members_page(request, link=_link(request, path, member.user.email, "password reset", "one day"))


def _highest(request: ProjectRequest) -> Role:
    return Role(request.membership.role)


def _link(request: ProjectRequest, path: str, email: str, what: str, lasts: str) -> dict[str, str]:
    return {"url": request.build_absolute_uri(path), "email": email, "what": what, "lasts": lasts}


def _members_page(
    request: ProjectRequest,
    *,
    form: InviteForm | None = None,
    link: dict[str, str] | None = None,
    error: ProductError | None = None,
    status: int = 200,
) -> HttpResponse:
    highest, rows = _highest(request), list(members_of(request.project))
    context: dict[str, Any] = {
        "members": rows,
        "link": link,
        "error": error,
        "is_admin": highest >= Role.ADMIN,
    }
    if context["is_admin"]:
        context |= {
            "form": form or InviteForm(highest=highest),
            "roles": roles_up_to(highest),
            "invitations": invitations_of(request.project),
            "in_care": accounts_in_care(request.actor, [row.user for row in rows]),
        }
    return render(request, "core/members.html", context, status=status)
