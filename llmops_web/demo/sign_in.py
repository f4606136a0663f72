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
    if account is None:
        account = user_create(
            by=Actor.system("demo"),
            email=content.ADMIN_EMAIL,
            name="Demo admin",
            password=_password(),
            superuser=True,
        )
    if not ((settings.DATA_DIR / PASSWORD_FILE).exists() and account.check_password(_password())):
        # Changed since, or brought here from another data folder by a backup, which does not hold the file.
        return [
            f"Sign in   {content.ADMIN_EMAIL} with its password, as it was first printed or changed since."
        ]
    return [f"Sign in   {content.ADMIN_EMAIL}", f"Password  {_password()}"]


def _password() -> str:
    return read_or_create_secret(settings.DATA_DIR / PASSWORD_FILE)[:20]
