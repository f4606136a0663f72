"""A password's rules are one hint, and what it lacks is one sentence."""

from __future__ import annotations

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from apps.core.forms_people import InviteForm, NewPasswordForm
from apps.core.models import User
from apps.core.roles import Role
from tests.factories.core import PASSWORD, make_user


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("123", "too short: 10 characters at least, among the most common ones, and made of digits only"),
        ("8273645198273", "made of digits only"),
        ("someperson@example.com", "too much like your email or name"),
    ],
)
def test_what_a_password_lacks_is_one_sentence(password: str, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_password(password, User(email="someperson@example.com"))
    assert refused.value.messages == [f"This password is {said}."]


def test_a_good_password_passes() -> None:
    validate_password(PASSWORD, User(email="someperson@example.com"))


def test_the_hint_is_one_sentence_in_every_form() -> None:
    hint = str(NewPasswordForm().fields["password"].help_text)
    assert hint.startswith("At least 10 characters")
    assert hint.count(".") == 1


@pytest.mark.django_db
def test_the_form_that_changes_a_password_shows_one_hint_and_one_error() -> None:
    person = make_user("person@example.com", password=PASSWORD)
    client = Client()
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    page = client.post(
        reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": "123", "password2": "123"}
    ).content.decode()
    assert page.count("At least 10 characters") == 1
    assert page.count("This password is") == 1
    hint = page.split("At least 10 characters")[0].rsplit("<", 1)[1]
    assert hint.startswith("div"), "plain text, no list of one"
    assert "New password again" in page
    assert "placeholder" not in page.split("<main")[1]


def test_an_invitation_gives_the_least_role_unless_more_is_chosen() -> None:
    assert InviteForm(highest=Role.ADMIN)["role"].initial == Role.VIEWER.value
