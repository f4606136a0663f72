"""Accounts switched off and on, lost second factors, and another email of one's own."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from apps.core.account_care import (
    OwnAccount,
    account_deactivate,
    account_reactivate,
    email_change,
    second_factor_reset,
)
from apps.core.accounts import password_reset_link
from apps.core.errors import Conflict, InvalidInput, Refused
from apps.core.models import AuditEvent, Membership, OneTimeLink, Project, User
from apps.core.people import member_invite
from apps.core.roles import Role
from tests.factories.core import PASSWORD, actor_for, make_member, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> None:
    cache.clear()


@pytest.fixture
def admin(project: Project) -> User:
    return make_member(project, Role.ADMIN)


@pytest.fixture
def person(project: Project) -> User:
    return make_member(project, Role.EDITOR, make_user("person@example.com", password=PASSWORD))


def sign_in(email: str) -> Client:
    client = Client()
    client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    return client


def is_in(client: Client) -> bool:
    return client.get(reverse("core:account")).status_code == 200


def add_factor(user: User) -> None:
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    Authenticator.objects.create(user=user, type=Authenticator.Type.RECOVERY_CODES, data={"seed": "x"})


def test_an_account_that_is_switched_off_is_out_at_once_and_stays_out(
    project: Project, admin: User, person: User
) -> None:
    browser = sign_in(person.email)
    assert is_in(browser)
    account_deactivate(by=actor_for(admin, project), user=person, project=project)
    assert not is_in(browser)
    assert not is_in(sign_in(person.email))
    event = AuditEvent.objects.get(action="user.deactivate")
    assert (event.project, event.actor_label, event.target_label) == (project, admin.email, person.email)


def test_its_links_end_with_it(project: Project, admin: User) -> None:
    other = make_member(project, Role.ADMIN)
    password_reset_link(by=actor_for(admin, project), user=other)
    member_invite(project=project, by=actor_for(other, project), email="new@example.com", role=Role.VIEWER)
    account_deactivate(by=actor_for(admin, project), user=other)
    assert not OneTimeLink.objects.exists()


def test_switched_on_again_everything_is_as_before(project: Project, admin: User, person: User) -> None:
    by = actor_for(admin, project)
    account_deactivate(by=by, user=person)
    account_reactivate(by=by, user=person)
    assert is_in(sign_in(person.email))
    assert Membership.objects.get(user=person).role == Role.EDITOR
    assert AuditEvent.objects.filter(action="user.reactivate").count() == 1


def test_a_lost_second_factor_is_reset_with_its_recovery_codes(
    project: Project, admin: User, person: User
) -> None:
    add_factor(person)
    assert not is_in(sign_in(person.email))
    assert second_factor_reset(by=actor_for(admin, project), user=person, project=project)
    assert not Authenticator.objects.exists()
    assert is_in(sign_in(person.email))
    assert AuditEvent.objects.get(action="user.second_factor_reset").before == {
        "kinds": ["recovery_codes", "totp"]
    }
    assert not second_factor_reset(by=actor_for(admin, project), user=person)


@pytest.mark.parametrize("care", [account_deactivate, account_reactivate, second_factor_reset])
def test_an_admin_takes_over_nobody_who_holds_more_than_the_admin_does(
    care: object, project: Project, admin: User, person: User
) -> None:
    add_factor(person)
    elsewhere = make_project()
    make_member(elsewhere, Role.VIEWER, person)
    with pytest.raises(Refused):
        care(by=actor_for(admin, project), user=person, project=project)  # type: ignore[operator]
    boss = make_member(project, Role.VIEWER, make_user(superuser=True))
    with pytest.raises(Refused):
        care(by=actor_for(admin, project), user=boss, project=project)  # type: ignore[operator]
    assert Authenticator.objects.filter(user=person).count() == 2
    care(by=actor_for(boss), user=person)  # type: ignore[operator]


@pytest.mark.parametrize("care", [account_deactivate, second_factor_reset])
def test_nobody_does_it_to_their_own_account(care: object) -> None:
    boss = make_user(superuser=True)
    with pytest.raises(OwnAccount):
        care(by=actor_for(boss), user=boss)  # type: ignore[operator]


def test_somebody_switched_off_does_nothing_to_others(project: Project, admin: User, person: User) -> None:
    by = actor_for(admin, project)
    account_deactivate(by=actor_for(make_user(superuser=True)), user=admin)
    with pytest.raises(Refused):
        account_deactivate(by=by, user=person)


def test_the_new_email_signs_in_and_the_old_one_does_not(person: User) -> None:
    browser = sign_in(person.email)
    EmailAddress.objects.create(user=person, email=person.email, primary=True)
    answer = browser.post(
        reverse("core:account-email"), {"email": "Another@Example.com", "password": PASSWORD}
    )
    assert answer.url == reverse("core:account")  # type: ignore[attr-defined]
    assert is_in(browser)
    assert is_in(sign_in("another@example.com"))
    assert not is_in(sign_in("person@example.com"))
    event = AuditEvent.objects.get(action="user.change_email")
    assert (event.before, event.after) == ({"email": "person@example.com"}, {"email": "another@example.com"})


def test_an_email_takes_the_password_and_is_nobody_else_s(person: User) -> None:
    make_user("taken@example.com")
    by = actor_for(person)
    with pytest.raises(InvalidInput):
        email_change(user=person, by=by, email="another@example.com", password="wrong")
    with pytest.raises(Conflict):
        email_change(user=person, by=by, email="Taken@example.com", password=PASSWORD)
    with pytest.raises(InvalidInput):
        email_change(user=person, by=by, email="no address", password=PASSWORD)
    person.refresh_from_db()
    assert person.email == "person@example.com"


def test_guessing_the_password_for_an_email_is_stopped(person: User) -> None:
    browser, page = sign_in(person.email), reverse("core:account-email")
    for _ in range(10):
        browser.post(page, {"email": "another@example.com", "password": "wrong"})
    answer = browser.post(page, {"email": "another@example.com", "password": PASSWORD})
    assert "Wait a minute" in answer.content.decode()
    person.refresh_from_db()
    assert person.email == "person@example.com"


def test_what_a_person_invited_ends_with_their_rights_after_an_email_change(project: Project) -> None:
    inviter = make_member(project, Role.ADMIN, make_user("inviter@example.com", password=PASSWORD))
    member_invite(project=project, by=actor_for(inviter, project), email="new@example.com", role=Role.ADMIN)
    email_change(user=inviter, by=actor_for(inviter), email="renamed@example.com", password=PASSWORD)
    assert OneTimeLink.objects.get().made_by == "renamed@example.com"


def test_the_pages_offer_what_the_admin_may_do(project: Project, admin: User, person: User) -> None:
    add_factor(person)
    client = Client()
    client.force_login(admin, backend="allauth.account.auth_backends.AuthenticationBackend")
    member = Membership.objects.get(user=person)
    page = reverse("core:member", args=[project.slug, member.pk])
    assert page in client.get(reverse("core:members", args=[project.slug])).content.decode()
    assert "Reset the second factor" in client.get(page).content.decode()
    assert client.post(page, {"do": "factor"}).status_code == 302
    assert "Reset the second factor" not in client.get(page).content.decode()
    client.post(page, {"do": "off"})
    assert "Switch on" in client.get(page).content.decode()
    assert "/reset/" in client.post(page, {"do": "reset-link"}).content.decode()
    assert client.post(page, {"do": "nothing"}).status_code == 400
    make_member(make_project(), Role.VIEWER, person)
    assert "up to a superuser" in client.get(page).content.decode()
    assert client.post(page, {"do": "on"}).status_code == 403
    own = reverse("core:member", args=[project.slug, Membership.objects.get(user=admin).pk])
    assert "your own account" in client.get(own).content.decode()


def test_a_superuser_finds_everybody_also_those_in_no_project(superuser_client: Client) -> None:
    person = make_user("alone@example.com")
    page = reverse("core:account-of", args=[person.pk])
    assert reverse("core:accounts") in superuser_client.get(reverse("core:account")).content.decode()
    assert page in superuser_client.get(reverse("core:accounts"), {"q": "ALONE"}).content.decode()
    assert superuser_client.post(page, {"do": "off"}).status_code == 302
    person.refresh_from_db()
    assert not person.is_active


def test_the_list_of_accounts_asks_the_database_as_often_for_many_as_for_few(
    superuser_client: Client, django_assert_max_num_queries: object
) -> None:
    for _ in range(12):
        make_member(make_project(), Role.VIEWER)
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        superuser_client.get(reverse("core:accounts"))
