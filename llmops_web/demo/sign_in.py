"""The demo's admin: made when there is nobody yet, with a password kept beside the data."""

from __future__ import annotations

from django.conf import settings

from apps.core.accounts import user_create
from apps.core.actor import Actor
from apps.core.models import User
from apps.core.secret_files import read_or_create_secret
from llmops_web.demo import content

PASSWORD_FILE = "demo_password"  # noqa: S105  # a file's name


def sign_in_lines() -> list[str]:
    """How to sign in. An installation that has people already gets no account from the demo."""
    account = User.objects.filter(email=content.ADMIN_EMAIL).first()
    if account is None and User.objects.exists():
        return ["Sign in   with your own account; an administrator sees the project Demo."]
    password = read_or_create_secret(settings.DATA_DIR / PASSWORD_FILE)[:20]
    if account is None:
        account = user_create(
            by=Actor.system("demo"),
            email=content.ADMIN_EMAIL,
            name="Demo admin",
            password=password,
            superuser=True,
        )
    if not account.check_password(password):
        return [f"Sign in   {content.ADMIN_EMAIL} with the password you gave it."]
    return [f"Sign in   {content.ADMIN_EMAIL}", f"Password  {password}"]
