"""The page frame's plumbing: who asks, in which project, with which role."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponseBase
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from apps.core.actor import Actor
from apps.core.addresses import client_address
from apps.core.errors import NotFound, Refused
from apps.core.failures import problem_response, wants_json
from apps.core.models import Membership, Project, User
from apps.core.roles import Role
from apps.core.selectors import membership_of

__all__ = [
    "ProjectRequest",
    "UserRequest",
    "client_address",
    "project_view",
    "signed_in",
    "superuser_view",
    "user_actor",
]

View = Callable[..., HttpResponseBase]
_SIGNED_OUT = "Sign in in another tab, then try again here: what you typed is kept."
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class UserRequest(HttpRequest):
    """A request of somebody who is signed in."""

    user: User


class ProjectRequest(HttpRequest):
    """A request whose project and role are known. Made by `project_view`, never by hand."""

    user: User
    project: Project
    membership: Membership
    actor: Actor
    htmx: HtmxDetails


def user_actor(request: HttpRequest, role: Role | None = None) -> Actor:
    """The signed-in person as an Actor."""
    user = request.user
    return Actor(
        kind="user", id=str(user.pk), label=user.get_username(), role=role, address=client_address(request)
    )


def signed_in(view: View) -> View:
    """A page for people who are signed in; others are asked to, and come back.

    A fragment cannot become the sign-in page, so htmx is told to leave the page that it is on; and a script
    that asked for JSON is told what is wrong, as its page holds what somebody typed.
    """

    @wraps(view)
    def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.htmx:
            here = request.htmx.current_url_abs_path or request.get_full_path()
            return HttpResponseClientRedirect(redirect_to_login(here, settings.LOGIN_URL).url)
        if wants_json(request):
            return problem_response(401, _SIGNED_OUT, "signed_out", "You are signed out")
        return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)

    return wrapped


def project_view(role: Role, *, while_archived: bool = False) -> Callable[[View], View]:
    """A page of a project, for members with at least `role`.

    The URL's `project_slug` is taken off; request.project, .membership and .actor are set. People who are
    not members get 404 (the project's existence is not theirs to know), members with a lower role 403.
    An archived project is read only, but for views that say `while_archived`.
    """

    def decorate(view: View) -> View:
        @signed_in
        @wraps(view)
        def wrapped(request: Any, project_slug: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            membership = membership_of(user=request.user, project_slug=project_slug)
            if membership is None:
                raise NotFound("There is no such project, or you are not a member of it.")
            request.project, request.membership = membership.project, membership
            request.actor = user_actor(request, Role(membership.role))
            if membership.role < role:
                raise Refused(
                    f"This needs the role {role.label}; yours in {membership.project} is "
                    f"{membership.role_name}. An admin of the project can change it."
                )
            archived = request.project.archived_at is not None
            if archived and not while_archived and request.method not in _SAFE_METHODS:
                raise Refused(f"{request.project} is archived and read only. An admin can bring it back.")
            return view(request, *args, **kwargs)

        wrapped.required_role = role  # type: ignore[attr-defined]  # read by the permission matrix test
        return wrapped

    return decorate


def superuser_view(view: View) -> View:
    """A page of the whole installation, for superusers; others get 403."""

    @signed_in
    @wraps(view)
    def wrapped(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise Refused("This is for superusers. Ask the person who set up this installation.")
        return view(request, *args, **kwargs)

    wrapped.superusers_only = True  # type: ignore[attr-defined]  # read by the permission matrix test
    return wrapped
