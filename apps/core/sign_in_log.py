"""What people do with their own accounts, for the audit log: allauth says when, we write it down."""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as mfa_signals
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from apps.core.actor import Actor
from apps.core.addresses import client_address
from apps.core.audit import audit
from apps.core.models import User


def connect() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="audit sign-in")
    user_logged_out.connect(_signed_out, dispatch_uid="audit sign-out")
    user_login_failed.connect(_refused, dispatch_uid="audit refused sign-in")
    account_signals.password_changed.connect(_password_changed, dispatch_uid="audit password change")
    account_signals.password_reset.connect(_password_changed, dispatch_uid="audit password reset by mail")
    mfa_signals.authenticator_added.connect(_factor_added, dispatch_uid="audit factor added")
    mfa_signals.authenticator_removed.connect(_factor_removed, dispatch_uid="audit factor removed")


def _note(action: str, request: HttpRequest | None, user: User, **change: Any) -> None:
    address = client_address(request) if request is not None else ""
    by = Actor(kind="user", id=str(user.pk), label=user.email, address=address)
    audit(by, action, user, project=None, **change)


def _signed_in(sender: Any, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    _note("user.sign_in", request, user)


def _signed_out(sender: Any, request: HttpRequest | None, user: User | None, **kwargs: Any) -> None:
    if user is not None:
        _note("user.sign_out", request, user)


def _refused(
    sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
) -> None:
    """A wrong password for an account that exists. What was typed for others may be a password: not kept."""
    typed = str(credentials.get("email") or credentials.get("username") or "").replace("\x00", "")
    user = User.objects.filter(email__iexact=typed).first() if typed else None
    if user is not None:
        address = client_address(request) if request is not None else ""
        nobody = Actor(kind="system", id="", label="somebody not signed in", address=address)
        audit(nobody, "user.sign_in_refused", user, project=None)


def _password_changed(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    _note("user.password_change", request, user)


def _factor_added(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    _note("user.second_factor_add", request, user, after={"kind": str(authenticator.type)})


def _factor_removed(sender: Any, request: HttpRequest, user: User, authenticator: Any, **kwargs: Any) -> None:
    _note("user.second_factor_remove", request, user, before={"kind": str(authenticator.type)})
