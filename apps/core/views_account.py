"""One's own account: the name; password and two-factor are allauth's pages."""

from __future__ import annotations

from allauth.account import views as allauth_views
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.core.accounts import account_rename
from apps.core.forms_people import AccountForm
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


def password_reset_by_mail(request: HttpRequest) -> HttpResponseBase:
    """Without a mail server nothing could be sent, so the page says whom to ask instead."""
    if not settings.EMAIL_HOST:
        return render(request, "core/reset_by_admin.html")
    response: HttpResponseBase = allauth_views.password_reset(request)
    return response
