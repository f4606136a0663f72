"""Pages opened by a one-time link: the first admin, an invitation, a new password."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.core.accounts import first_admin_create, password_reset_use
from apps.core.errors import ProductError
from apps.core.forms_people import NewPasswordForm, NewPersonForm, SetupForm
from apps.core.links import LinkNotValid, Purpose, link_get
from apps.core.models import OneTimeLink, User
from apps.core.people import invitation_accept
from apps.core.selectors import anybody, user_by_email
from apps.core.views import client_address

_PASSWORDS = ("password", "password_again")
_form_page = require_http_methods(["GET", "HEAD", "POST"])


@never_cache
@require_safe
def not_set_up(request: HttpRequest) -> HttpResponse:
    """What everybody sees while there is nobody."""
    if anybody():
        return redirect("core:home")
    return render(request, "core/not_set_up.html")


@sensitive_post_parameters(*_PASSWORDS)
@never_cache
@_form_page
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """The first admin names themselves and the first project, and is signed in."""
    link_get(Purpose.FIRST_ADMIN, token)
    form = SetupForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        fields = {k: form.cleaned_data[k] for k in ("email", "name", "password", "project_name")}
        try:
            user, project = first_admin_create(token=token, address=client_address(request), **fields)
        except ProductError as exc:
            form.add_product_error(_at_fields(exc, name="project_name"))
        else:
            _sign_in(request, user)
            return redirect("core:project-home", project.slug)
    return render(request, "core/setup.html", {"form": form}, status=400 if form.errors else 200)


@sensitive_post_parameters(*_PASSWORDS)
@never_cache
@_form_page
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Join a project: the person signed in, or a new person who chooses a password."""
    link = link_get(Purpose.INVITATION, token)
    somebody = request.user if isinstance(request.user, User) else None
    if somebody and somebody.email.lower() != link.email.lower():
        return render(request, "core/invitation_other.html", {"link": link}, status=403)
    if somebody is None and user_by_email(link.email):
        return redirect(f"{reverse(settings.LOGIN_URL)}?{urlencode({'next': request.path})}")
    form = NewPersonForm(request.POST or None) if somebody is None else None
    if request.method == "POST" and (form is None or form.is_valid()):
        return _join(request, link, token, somebody, form)
    status = 400 if form and form.errors else 200
    return render(request, "core/invitation.html", {"form": form, "link": link}, status=status)


def _join(
    request: HttpRequest, link: OneTimeLink, token: str, somebody: User | None, form: NewPersonForm | None
) -> HttpResponse:
    fields = {k: form.cleaned_data[k] for k in ("name", "password")} if form else {}
    try:
        member = invitation_accept(token=token, user=somebody, address=client_address(request), **fields)
    except LinkNotValid:
        raise
    except ProductError as exc:
        if form is None:
            raise
        form.add_product_error(exc)
        return render(request, "core/invitation.html", {"form": form, "link": link}, status=exc.status)
    if somebody is None:
        _sign_in(request, member.user)
    return redirect("core:project-home", member.project.slug)


@sensitive_post_parameters(*_PASSWORDS)
@never_cache
@_form_page
def password_reset(request: HttpRequest, token: str) -> HttpResponse:
    """Choose a new password. One signs in with it afterwards, so that a second factor is still asked for."""
    link = link_get(Purpose.PASSWORD_RESET, token)
    form = NewPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            password_reset_use(
                token=token, password=form.cleaned_data["password"], address=client_address(request)
            )
        except LinkNotValid:
            raise
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            logout(request)
            messages.success(request, "The new password is saved. Sign in with it.")
            return redirect(settings.LOGIN_URL)
    return render(
        request, "core/password_reset.html", {"form": form, "link": link}, status=400 if form.errors else 200
    )


def _sign_in(request: HttpRequest, user: User) -> None:
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])


def _at_fields(error: ProductError, **renamed: str) -> ProductError:
    """The same error at the fields as this form calls them."""
    error.fields = {renamed.get(field, field): texts for field, texts in error.fields.items()}
    return error
