"""One's own account: name and email; password and two-factor are allauth's pages."""

from __future__ import annotations

from allauth.account import views as allauth_views
from allauth.core import ratelimit
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.core.account_care import TooManyTries, email_change
from apps.core.accounts import account_rename
from apps.core.errors import ProductError
from apps.core.forms_people import AccountForm, EmailForm
from apps.core.selectors import memberships_of
from apps.core.views import UserRequest, signed_in, user_actor


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: UserRequest) -> HttpResponse:
    form = AccountForm(request.POST or None, initial={"name": request.user.name})
    if request.method == "POST" and form.is_valid():
        account_rename(user=request.user, by=user_actor(request), name=form.cleaned_data["name"])
        messages.success(request, "Your name is saved.")
        return redirect("core:account")
    context = {
        "form": form,
        "memberships": memberships_of(request.user),
        "two_factor": is_mfa_enabled(request.user),
    }
    return render(request, "core/account.html", context, status=400 if form.errors else 200)


@sensitive_post_parameters("password")
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account_email(request: UserRequest) -> HttpResponse:
    """Another address to sign in with. Guessing the password here is throttled as it is elsewhere."""
    form = EmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            if not ratelimit.consume(request, action="reauthenticate", user=request.user):
                raise TooManyTries("Wait a minute, then try again.")
            email_change(user=request.user, by=user_actor(request), **form.cleaned_data)
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            messages.success(request, "Your email is changed: sign in with it from now on.")
            return redirect("core:account")
    return render(request, "core/account_email.html", {"form": form}, status=400 if form.errors else 200)


def password_reset_by_mail(request: HttpRequest) -> HttpResponseBase:
    """Without a mail server nothing could be sent, so the page says whom to ask instead."""
    if not settings.EMAIL_HOST:
        return render(request, "core/reset_by_admin.html")
    response: HttpResponseBase = allauth_views.password_reset(request)
    return response
