"""The first admin, who opens the link that the console prints."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.accounts import first_admin_link
from apps.core.models import AuditEvent, Membership, OneTimeLink, Project, User
from apps.core.roles import Role
from tests.factories.core import PASSWORD, make_user

pytestmark = pytest.mark.django_db

FORM = {
    "email": "First@Example.com",
    "name": "First",
    "password": PASSWORD,
    "password_again": PASSWORD,
    "project_name": "Spelling",
}


def link() -> str:
    path = first_admin_link()
    assert path is not None
    return path


@pytest.mark.parametrize("name", ["core:home", "account_login", "core:account"])
def test_while_there_is_nobody_every_page_says_how_to_begin(client: Client, name: str) -> None:
    answer = client.get(reverse(name), follow=True)
    assert answer.redirect_chain[-1][0] == reverse("core:not-set-up")
    assert "console" in answer.content.decode()


def test_the_link_makes_the_first_admin_and_a_project_and_signs_in(client: Client) -> None:
    path = link()
    assert client.get(path).status_code == 200
    answer = client.post(path, FORM)
    project = Project.objects.get()
    assert answer.url == reverse("core:project-home", args=[project.slug])
    user = User.objects.get()
    assert (user.email, user.is_superuser, user.check_password(PASSWORD)) == ("first@example.com", True, True)
    assert Membership.objects.get().role == Role.ADMIN
    assert client.get(answer.url).status_code == 200
    assert {"user.create", "project.create"} <= set(AuditEvent.objects.values_list("action", flat=True))


def test_the_link_works_once(client: Client) -> None:
    path = link()
    client.post(path, FORM)
    assert Client().get(path).status_code == 404
    assert Client().post(path, FORM | {"email": "second@example.com"}).status_code == 404
    assert User.objects.count() == 1


def test_only_the_newest_link_works(client: Client) -> None:
    older, newer = link(), link()
    assert client.get(older).status_code == 404
    assert client.get(newer).status_code == 200


def test_no_link_is_made_once_there_is_somebody() -> None:
    older = first_admin_link()
    make_user()
    assert first_admin_link() is None
    assert Client().post(older, FORM).status_code == 409 or User.objects.count() == 1


def test_a_link_whose_work_was_done_by_the_command_line_makes_nobody() -> None:
    path = link()
    make_user()
    Client().post(path, FORM)
    assert User.objects.count() == 1


def test_the_token_is_kept_as_a_hash_only() -> None:
    token = link().strip("/").split("/")[-1]
    assert token not in str(OneTimeLink.objects.values().get())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"email": "nobody"}, "Enter a valid email address"),
        ({"password": "short", "password_again": "short"}, "too short"),
        ({"password_again": "something else"}, "The two passwords differ"),
        ({"project_name": ""}, "This field is required"),
        ({"name": "a\x00b"}, "Null characters are not allowed"),
    ],
)
def test_a_mistake_is_shown_at_its_field_and_uses_up_nothing(
    client: Client, wrong: dict[str, str], said: str
) -> None:
    path = link()
    answer = client.post(path, FORM | wrong)
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not User.objects.exists()
    assert client.post(path, FORM).status_code == 302


def test_a_link_that_was_made_up_is_refused(client: Client) -> None:
    assert client.get(reverse("core:setup", args=["made-up"])).status_code == 404
