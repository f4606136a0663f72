"""Signing in: throttled, with a second factor, closed to those whom nobody invited."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import NoReverseMatch, reverse

from apps.core.crypto import decrypt
from apps.core.models import AuditEvent, User
from tests.factories.core import PASSWORD, make_user

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> None:
    cache.clear()


@pytest.fixture
def person() -> User:
    return make_user("person@example.com", password=PASSWORD)


def sign_in(
    client: Client, password: str = PASSWORD, email: str = "person@example.com", **extra: str
) -> object:
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def test_email_in_any_case_and_password_sign_in(client: Client, person: User) -> None:
    assert sign_in(client, email="Person@Example.COM").url == reverse("core:home")  # type: ignore[attr-defined]
    assert client.get(reverse("core:account")).status_code == 200
    event = AuditEvent.objects.get(action="user.sign_in")
    assert (event.actor_label, event.address) == (person.email, "127.0.0.1")


def test_a_wrong_password_is_refused_and_noted(client: Client, person: User) -> None:
    answer = sign_in(client, "wrong")
    assert "not correct" in answer.content.decode()  # type: ignore[attr-defined]
    assert AuditEvent.objects.get(action="user.sign_in_refused").target_label == person.email


def test_guessing_one_account_s_password_is_stopped(client: Client, person: User) -> None:
    for _ in range(5):
        sign_in(client, "wrong")
    answer = sign_in(client)
    assert "Too many failed login attempts" in answer.content.decode()  # type: ignore[attr-defined]
    assert client.get(reverse("core:home")).status_code == 302


def test_guessing_from_one_address_is_stopped_whatever_the_account(client: Client, person: User) -> None:
    for number in range(10):
        sign_in(client, "wrong", f"nobody{number}@example.com")
    answer = sign_in(client)
    assert "Too many failed login attempts" in answer.content.decode()  # type: ignore[attr-defined]


def test_a_made_up_forwarding_header_does_not_get_round_the_throttle(client: Client, person: User) -> None:
    for number in range(10):
        sign_in(client, "wrong", f"nobody{number}@example.com", HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    answer = sign_in(client, HTTP_X_FORWARDED_FOR="198.51.100.99")
    assert "Too many failed login attempts" in answer.content.decode()  # type: ignore[attr-defined]


def test_behind_our_proxy_each_client_is_counted_by_itself(
    client: Client, person: User, settings: object
) -> None:
    settings.TRUSTED_PROXIES = 1  # type: ignore[attr-defined]
    for number in range(10):
        sign_in(
            client, "wrong", f"nobody{number}@example.com", HTTP_X_FORWARDED_FOR="203.0.113.5, 198.51.100.1"
        )
    answer = sign_in(client, HTTP_X_FORWARDED_FOR="203.0.113.5, 198.51.100.2")
    assert answer.status_code == 302  # type: ignore[attr-defined]


def test_sign_up_is_closed(client: Client, person: User) -> None:
    form = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    for answer in (client.get("/account/signup/"), client.post("/account/signup/", form)):
        assert "closed" in answer.content.decode().lower()
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "name", ["account_email", "account_email_verification_sent", "account_request_login_code"]
)
def test_allauth_s_pages_that_do_not_apply_have_no_address(name: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(name)


def test_without_a_mail_server_the_page_says_whom_to_ask(
    client: Client, person: User, settings: object
) -> None:
    settings.EMAIL_HOST = ""  # type: ignore[attr-defined]
    for answer in (
        client.get("/account/password/reset/"),
        client.post("/account/password/reset/", {"email": person.email}),
    ):
        assert "ask an admin" in answer.content.decode()
    assert mail.outbox == []


def test_with_a_mail_server_a_link_is_sent_to_those_who_exist(
    client: Client, person: User, settings: object
) -> None:
    settings.EMAIL_HOST = "mail.example.com"  # type: ignore[attr-defined]
    client.post("/account/password/reset/", {"email": "nobody@example.com"})
    assert mail.outbox == []
    client.post("/account/password/reset/", {"email": person.email})
    (message,) = mail.outbox
    link = next(word for word in message.body.split() if "/account/password/reset/key/" in word)
    path = link.split("testserver", 1)[1]
    form = client.get(path, follow=True)
    new = "quite another passphrase"
    client.post(form.redirect_chain[-1][0], {"password1": new, "password2": new})
    person.refresh_from_db()
    assert person.check_password(new)


def test_changing_the_password_ends_the_other_sessions(person: User) -> None:
    here, elsewhere = Client(), Client()
    sign_in(here)
    sign_in(elsewhere)
    new = "quite another passphrase"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert here.post("/account/password/change/", form).status_code == 302
    assert here.get(reverse("core:account")).status_code == 200
    assert elsewhere.get(reverse("core:account")).status_code == 302
    assert AuditEvent.objects.filter(action="user.password_change").exists()


def code_of(secret: str, steps: int = 0) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps)))


def switch_second_factor_on(client: Client) -> str:
    page = client.get("/account/2fa/totp/activate/", follow=True)
    if page.redirect_chain:  # asked for the password again
        page = client.post(page.redirect_chain[-1][0], {"password": PASSWORD}, follow=True)
    secret = client.session["mfa.totp.secret"]
    answer = client.post("/account/2fa/totp/activate/", {"code": code_of(secret)})
    assert answer.status_code == 302
    return str(secret)


def test_a_second_factor_is_set_up_and_asked_for(
    person: User, django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]]
) -> None:
    client = Client()
    sign_in(client)
    with django_capture_on_commit_callbacks(execute=True):
        secret = switch_second_factor_on(client)
    assert client.get("/account/2fa/").status_code == 200
    later = Client()
    assert sign_in(later).url == "/account/2fa/authenticate/"  # type: ignore[attr-defined]
    assert later.get(reverse("core:account")).status_code == 302
    wrong = later.post("/account/2fa/authenticate/", {"code": "000000"})
    assert wrong.status_code == 200
    right = later.post("/account/2fa/authenticate/", {"code": code_of(secret, steps=1)})
    assert right.status_code == 302
    assert later.get(reverse("core:account")).status_code == 200
    assert AuditEvent.objects.filter(action="user.second_factor_add").exists()


def test_the_secret_of_a_second_factor_is_encrypted(person: User) -> None:
    client = Client()
    sign_in(client)
    secret = switch_second_factor_on(client)
    stored = Authenticator.objects.get(type="totp").data["secret"]
    assert secret not in stored
    assert decrypt(stored) == secret


def test_setting_up_a_second_factor_wants_a_recent_password(person: User) -> None:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.get("/account/2fa/totp/activate/")
    assert answer.url.startswith("/account/reauthenticate/")


def test_a_recovery_code_signs_in_once(person: User) -> None:
    client = Client()
    sign_in(client)
    switch_second_factor_on(client)
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    for expected in (302, 200):
        later = Client()
        sign_in(later)
        assert later.post("/account/2fa/authenticate/", {"code": codes[0]}).status_code == expected
