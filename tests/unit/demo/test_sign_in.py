"""The sign-in that `make demo` prints works, and stays the same however often it is printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from apps.core.models import AuditEvent, User
from llmops_web.demo.sign_in import sign_in_lines
from tests.factories.core import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_folder(settings: object, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path  # type: ignore[attr-defined]
    cache.clear()


def test_what_is_printed_signs_in_as_a_superuser() -> None:
    email, password = (line.split()[-1] for line in sign_in_lines())
    client = Client()
    answer = client.post(reverse("account_login"), {"login": email, "password": password})
    assert answer.url == reverse("core:home")  # type: ignore[attr-defined]
    assert client.get(reverse("core:accounts")).status_code == 200


def test_a_second_time_prints_the_same_and_makes_nothing(tmp_path: Path) -> None:
    first = sign_in_lines()
    assert sign_in_lines() == first
    assert User.objects.count() == 1
    assert (tmp_path / "demo_password").stat().st_mode & 0o777 == 0o600
    password = first[1].split()[-1]
    assert not any(password in str(event) for event in AuditEvent.objects.values())


def test_a_password_that_was_changed_is_not_printed_nor_another_made_up(tmp_path: Path) -> None:
    sign_in_lines()
    user = User.objects.get()
    user.set_password("another long passphrase")
    user.save()
    (line,) = sign_in_lines()
    assert "changed since" in line
    (tmp_path / "demo_password").unlink()  # as after a restore into another folder
    assert sign_in_lines() == [line]
    assert not (tmp_path / "demo_password").exists()


def test_an_installation_that_has_people_gets_no_account_from_the_demo() -> None:
    make_user("own@example.com", superuser=True)
    (line,) = sign_in_lines()
    assert "your own account" in line
    assert User.objects.count() == 1
