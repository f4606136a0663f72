"""Other people's accounts: a member's, for admins of the project; anybody's, for superusers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from apps.core.account_care import account_deactivate, account_reactivate, second_factor_reset
from apps.core.accounts import password_reset_link
from apps.core.actor import Actor
from apps.core.errors import InvalidInput
from apps.core.forms_people import AccountCareForm
from apps.core.models import Project, User
from apps.core.pages import keyset
from apps.core.roles import Role
from apps.core.selectors import account_get, accounts, may_look_after, member_get
from apps.core.views import ProjectRequest, UserRequest, project_view, superuser_view, user_actor

_page = require_http_methods(["GET", "HEAD", "POST"])


@project_view(Role.ADMIN)
@never_cache
@_page
def member(request: ProjectRequest, member_id: UUID) -> HttpResponse:
    """The account of a member. What concerns more than this project takes more than its admin."""
    row = member_get(project=request.project, member_id=member_id)
    context = {"layout": "layouts/project.html", "member": row}
    return _care(request, row.user, request.actor, request.project, context)


@superuser_view
@require_safe
def account_list(request: UserRequest) -> HttpResponse:
    """Everybody who has an account, also those who are in no project."""
    page = keyset(accounts(request.GET.get("q", "")[:254]), request, order="email")
    return render(request, "core/accounts.html", {"page": page, "rows": page.rows})


@superuser_view
@never_cache
@_page
def account_of(request: UserRequest, user_id: UUID) -> HttpResponse:
    by = user_actor(request, Role.ADMIN)
    return _care(request, account_get(user_id), by, None, {"layout": "layouts/plain.html"})


def _care(
    request: ProjectRequest | UserRequest,
    person: User,
    by: Actor,
    project: Project | None,
    context: dict[str, Any],
) -> HttpResponse:
    if request.method == "POST":
        form = AccountCareForm(request.POST)
        if not form.is_valid():
            raise InvalidInput("Choose what to do: reset-link, factor, off or on.")
        if form.cleaned_data["do"] != "reset-link":
            messages.success(request, _done(form.cleaned_data["do"], person, by, project))
            return redirect(request.path)
        path = password_reset_link(by=by, user=person, project=project)
        url = request.build_absolute_uri(path)
        context["link"] = {"url": url, "email": person.email, "what": "password reset", "lasts": "one day"}
    context |= {
        "person": person,
        "own": person == request.user,
        "in_care": may_look_after(by=by, user=person),
        "two_factor": is_mfa_enabled(person),
    }
    return render(request, "core/account_care.html", context)


def _done(what: str, person: User, by: Actor, project: Project | None) -> str:
    """Do it, and say what has been done."""
    if what == "factor":
        had_one = second_factor_reset(by=by, user=person, project=project)
        return f"{person.email} signs in by password alone" + (" now." if had_one else ", as before.")
    if what == "off":
        account_deactivate(by=by, user=person, project=project)
        return f"{person.email} is switched off and cannot sign in any more."
    account_reactivate(by=by, user=person, project=project)
    return f"{person.email} can sign in again."
