"""One's own account: the name; password and two-factor are allauth's pages."""

from __future__ import annotations

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.core.accounts import account_rename
from apps.core.forms_people import AccountForm
from apps.core.models import User
from apps.core.selectors import memberships_of
from apps.core.views import user_actor


class _UserRequest(HttpRequest):
    user: User


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: _UserRequest) -> HttpResponse:
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
