"""Commands for people and keys."""

from __future__ import annotations

import io
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from apps.core.api_keys import api_key_principal
from apps.core.models import ApiKey, AuditEvent, Project, User
from apps.core.roles import Role
from tests.factories.core import PASSWORD

pytestmark = pytest.mark.django_db


def output_of(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_key_is_printed_and_nothing_else() -> None:
    printed = output_of("create_api_key", "--project", "demo", "--role", "editor", "--name", "script")
    assert printed.count("\n") == 1
    principal = api_key_principal(printed.strip())
    assert principal is not None
    assert (principal.project.slug, principal.project.name, principal.actor.role) == (
        "demo",
        "demo",
        Role.EDITOR,
    )


def test_the_project_is_made_once() -> None:
    for _ in range(2):
        output_of("create_api_key", "--project", "demo", "--role", "viewer", "--name", "script")
    assert Project.objects.count() == 1
    assert ApiKey.objects.count() == 2


def test_a_key_can_end_by_itself() -> None:
    output_of("create_api_key", "--project", "demo", "--role", "viewer", "--name", "x", "--expires-days", "3")
    key = ApiKey.objects.get()
    assert key.expires_at is not None
    assert (key.expires_at - key.created_at).days in (2, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--project", "Not A Slug", "--role", "viewer", "--name", "x"],
        ["--project", "demo", "--role", "owner", "--name", "x"],
        ["--project", "demo", "--role", "viewer", "--name", " "],
        ["--project", "demo", "--role", "viewer", "--name", "x", "--expires-days", "0"],
        ["--project", "demo", "--role", "viewer", "--name", "x", "--expires-days", "99999999999"],
        ["--project", "demo", "--role", "viewer"],
    ],
)
def test_a_mistake_is_said_in_one_line_and_makes_no_key(wrong: list[str]) -> None:
    with pytest.raises(CommandError):
        output_of("create_api_key", *wrong)
    assert not ApiKey.objects.exists()


def test_an_account_is_made_with_a_password_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    output_of("create_user", "--email", "Boss@Example.com", "--admin", "--password-stdin")
    user = User.objects.get()
    assert (user.email, user.is_superuser, user.check_password(PASSWORD)) == ("boss@example.com", True, True)
    assert AuditEvent.objects.get(action="user.create").actor_label == "command line"


def test_an_account_made_without_a_password_gets_a_link_to_set_one() -> None:
    link = output_of("create_user", "--email", "new@example.com").strip()
    user = User.objects.get()
    assert (user.has_usable_password(), user.is_superuser) == (False, False)
    Client().post(link, {"password": PASSWORD, "password_again": PASSWORD})
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


def test_an_account_is_not_made_twice_and_a_weak_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    output_of("create_user", "--email", "new@example.com")
    with pytest.raises(CommandError, match="already an account"):
        output_of("create_user", "--email", "NEW@example.com")
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    with pytest.raises(CommandError, match="too short"):
        output_of("create_user", "--email", "other@example.com", "--password-stdin")
    assert User.objects.count() == 1
