"""The members page: invitations, roles, removal and reset links."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.models import Membership, OneTimeLink, Project, User
from apps.core.roles import Role
from tests.factories.core import PASSWORD, make_member, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client_as: Callable[[Role], Client]) -> Client:
    return client_as(Role.ADMIN)


def shown_link(answer: object) -> str:
    """The path of the one-time link that the page shows."""
    match = re.search(r'value="http://testserver(/[^"]+)"', answer.content.decode())  # type: ignore[attr-defined]
    assert match, "no link is shown"
    return match[1]


def url(name: str, project: Project, *args: object) -> str:
    return reverse(f"core:{name}", args=[project.slug, *args])


def test_an_invitation_is_made_sent_and_accepted(admin: Client, project: Project) -> None:
    answer = admin.post(
        url("member-invite", project), {"email": "new@example.com", "role": Role.EDITOR.value}
    )
    link = shown_link(answer)
    assert "new@example.com" in admin.get(url("members", project)).content.decode()
    assert link not in admin.get(url("members", project)).content.decode()
    newcomer = Client()
    assert "new@example.com" in newcomer.get(link).content.decode()
    joined = newcomer.post(link, {"name": "New", "password": PASSWORD, "password_again": PASSWORD})
    assert joined.url == reverse("core:project-home", args=[project.slug])
    assert newcomer.get(joined.url).status_code == 200


def test_somebody_with_an_account_signs_in_before_joining(admin: Client, project: Project) -> None:
    person = make_user("known@example.com", password=PASSWORD)
    answer = admin.post(url("member-invite", project), {"email": person.email, "role": Role.VIEWER.value})
    link, browser = shown_link(answer), Client()
    asked = browser.get(link)
    assert asked.url.startswith(reverse("account_login"))
    signed_in = browser.post(asked.url, {"login": person.email, "password": PASSWORD})
    assert signed_in.url == link
    browser.post(link)
    assert Membership.objects.get(project=project, user=person).role == Role.VIEWER


def test_an_invitation_opened_by_somebody_else_says_so(admin: Client, project: Project) -> None:
    answer = admin.post(
        url("member-invite", project), {"email": "new@example.com", "role": Role.VIEWER.value}
    )
    opened = admin.get(shown_link(answer))
    assert opened.status_code == 403
    assert "for somebody else" in opened.content.decode()


def test_what_was_typed_into_a_refused_invitation_stays(admin: Client, project: Project) -> None:
    member = make_member(project, Role.VIEWER)
    answer = admin.post(url("member-invite", project), {"email": member.email, "role": Role.APPROVER.value})
    assert answer.status_code == 400
    assert f'value="{member.email}"' in answer.content.decode()
    assert "is a member" in answer.content.decode()


@pytest.mark.parametrize("name", ["member-role", "member-remove", "member-reset-link"])
def test_members_of_another_project_are_out_of_reach(admin: Client, project: Project, name: str) -> None:
    elsewhere = make_project()
    member = Membership.objects.get(user=make_member(elsewhere, Role.VIEWER))
    assert admin.post(url(name, project, member.pk), {"role": Role.EDITOR.value}).status_code == 404


def test_a_role_is_changed_and_a_member_removed(admin: Client, project: Project) -> None:
    member = Membership.objects.get(user=make_member(project, Role.VIEWER))
    admin.post(url("member-role", project, member.pk), {"role": Role.APPROVER.value})
    member.refresh_from_db()
    assert member.role == Role.APPROVER
    admin.post(url("member-remove", project, member.pk))
    assert not Membership.objects.filter(pk=member.pk).exists()


def test_the_last_admin_stays_and_the_page_says_why(admin: Client, project: Project) -> None:
    last = Membership.objects.get(project=project)
    answer = admin.post(url("member-remove", project, last.pk))
    assert answer.status_code == 409
    assert "last admin" in answer.content.decode()


@pytest.mark.parametrize("role", ["9", "0", "", "x", "-1"])
def test_a_role_that_does_not_exist_is_refused(admin: Client, project: Project, role: str) -> None:
    member = Membership.objects.get(user=make_member(project, Role.VIEWER))
    assert admin.post(url("member-role", project, member.pk), {"role": role}).status_code == 400


def test_viewers_see_who_is_there_and_nothing_to_change(
    client_as: Callable[[Role], Client], project: Project
) -> None:
    page = client_as(Role.VIEWER).get(url("members", project)).content.decode()
    assert "<form" not in page.split("<main", 1)[1].split("</main>")[0]


def test_a_reset_link_sets_a_password_once_and_ends_sessions(admin: Client, project: Project) -> None:
    person = make_member(project, Role.EDITOR, make_user("person@example.com", password=PASSWORD))
    elsewhere = Client()
    elsewhere.force_login(person)
    member = Membership.objects.get(user=person)
    link = shown_link(admin.post(url("member-reset-link", project, member.pk)))
    browser, new = Client(), "quite another passphrase"
    assert browser.post(link, {"password": new, "password_again": new}).url == reverse("account_login")
    person.refresh_from_db()
    assert person.check_password(new)
    assert elsewhere.get(reverse("core:home")).url.startswith(reverse("account_login"))
    assert browser.get(link).status_code == 404


def may_reset(admin: Client, project: Project, person: User) -> bool:
    member = Membership.objects.get(user=person, project=project)
    return admin.post(url("member-reset-link", project, member.pk)).status_code == 200


def test_an_admin_makes_no_reset_link_for_a_superuser(admin: Client, project: Project) -> None:
    assert not may_reset(admin, project, make_member(project, Role.VIEWER, make_user(superuser=True)))


def test_an_admin_makes_no_reset_link_for_a_member_of_a_project_they_do_not_administer(
    admin: Client, project: Project
) -> None:
    person = make_member(project, Role.VIEWER)
    assert may_reset(admin, project, person)
    elsewhere = make_project()
    make_member(elsewhere, Role.VIEWER, person)
    assert not may_reset(admin, project, person)
    doer = User.objects.get(memberships__project=project, memberships__role=Role.ADMIN)
    membership = Membership.objects.create(project=elsewhere, user=doer, role=Role.APPROVER)
    assert not may_reset(admin, project, person)
    membership.role = Role.ADMIN
    membership.save()
    assert may_reset(admin, project, person)


def test_a_newer_reset_link_ends_the_older_one(admin: Client, project: Project) -> None:
    member = Membership.objects.get(user=make_member(project, Role.EDITOR))
    older = shown_link(admin.post(url("member-reset-link", project, member.pk)))
    newer = shown_link(admin.post(url("member-reset-link", project, member.pk)))
    assert Client().get(older).status_code == 404
    assert Client().get(newer).status_code == 200
    assert OneTimeLink.objects.filter(used_at=None).count() == 1
