"""The bell, the list of news, and the pages and REST of webhooks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.core.models import Notification, Project, ProjectWebhook, User, WebhookDelivery
from apps.core.notifications import notify
from apps.core.roles import Role
from tests.factories.core import make_member

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
Api = Callable[[Role], APIClient]
_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@pytest.fixture
def person(project: Project) -> User:
    return make_member(project, Role.EDITOR)


@pytest.fixture
def browser(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=_BACKEND)
    return client


def test_the_bell_counts_what_is_unread_and_asks_again_gently(
    browser: Client, person: User, project: Project
) -> None:
    page = browser.get(reverse("core:project-home", args=[project.slug])).content.decode()
    assert 'id="bell"' in page
    assert 'hx-trigger="load"' in page
    for number in range(3):
        notify(user=person, project=project, key=str(number), title="A run ended")
    bell = browser.get(reverse("core:bell")).content.decode()
    assert "Notifications, 3 unread" in bell
    assert 'hx-trigger="every 30s"' in bell


def test_opening_news_reads_it_and_goes_there(browser: Client, person: User, project: Project) -> None:
    url = reverse("core:project-home", args=[project.slug])
    news = notify(user=person, project=project, key="a", title="Run 4 ended", text="All of it", url=url)
    page = browser.get(reverse("core:notifications")).content.decode()
    assert "Run 4 ended" in page
    assert "All of it" in page
    opened = browser.post(reverse("core:notification-open", args=[news.pk]))
    assert opened["Location"] == url
    assert Notification.objects.get().read_at is not None


def test_news_are_read_one_by_one_or_all_at_once(browser: Client, person: User, project: Project) -> None:
    made = [notify(user=person, project=project, key=str(number), title="x") for number in range(3)]
    stayed = browser.post(reverse("core:notification-open", args=[made[0].pk]), {"stay": "1"})
    assert stayed["Location"] == reverse("core:notifications")
    assert Notification.objects.filter(read_at=None).count() == 2
    browser.post(reverse("core:notifications-read"))
    assert not Notification.objects.filter(read_at=None).exists()


def test_somebody_elses_news_are_not_there(browser: Client, project: Project) -> None:
    other = make_member(project, Role.EDITOR)
    news = notify(user=other, project=project, key="a", title="Not yours")
    assert browser.post(reverse("core:notification-open", args=[news.pk])).status_code == 404
    assert "Not yours" not in browser.get(reverse("core:notifications")).content.decode()
    browser.post(reverse("core:notifications-read"))
    assert Notification.objects.get().read_at is None


def test_mail_is_turned_off_and_on(browser: Client, person: User) -> None:
    url = reverse("core:notifications-mail")
    browser.post(url)
    person.refresh_from_db()
    assert not person.wants_mail
    browser.post(url, {"wants_mail": "on"})
    person.refresh_from_db()
    assert person.wants_mail


def test_a_webhook_is_made_shown_once_tested_and_removed(project: Project, client_as: ClientAs) -> None:
    client = client_as(Role.ADMIN)
    url = reverse("core:webhooks", args=[project.slug])
    made = client.post(url, {"name": "Chat", "url": "http://127.0.0.1:9/x", "events": ["run.failed"]})
    assert "whsec_" in made.content.decode()
    assert "whsec_" not in client.get(url).content.decode()
    webhook = ProjectWebhook.objects.get()
    page = reverse("core:webhook", args=[project.slug, webhook.pk])
    assert client.post(reverse("core:webhook-test", args=[project.slug, webhook.pk]))["Location"] == page
    assert "Pending" in client.get(page).content.decode()
    WebhookDelivery.objects.update(status="failed", error="It answered 500.")
    assert "It answered 500." in client.get(page).content.decode()
    delivery = WebhookDelivery.objects.get()
    client.post(reverse("core:webhook-redeliver", args=[project.slug, webhook.pk, delivery.pk]))
    assert WebhookDelivery.objects.get().status == "pending"
    client.post(reverse("core:webhook-remove", args=[project.slug, webhook.pk]))
    assert client.get(page).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [("url", "http://169.254.169.254/"), ("url", "nonsense"), ("name", " "), ("events", [])],
)
def test_a_wrong_webhook_is_told_at_its_field(
    project: Project, client_as: ClientAs, field: str, value: object
) -> None:
    body = {"name": "Chat", "url": "http://host/x", "events": ["run.failed"], field: value}
    answer = client_as(Role.ADMIN).post(reverse("core:webhooks", args=[project.slug]), body)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors
    assert not ProjectWebhook.objects.exists()


def test_webhooks_over_rest(project: Project, api_client: Api, other_project: Project) -> None:
    client = api_client(Role.ADMIN)
    body = {"name": "Chat", "url": "http://127.0.0.1:9/x", "events": ["run.failed", "run.completed"]}
    made = client.post(reverse("api:webhook-list"), body, format="json")
    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    (listed,) = client.get(reverse("api:webhook-list")).json()["results"]
    assert "secret" not in listed
    assert listed["events"] == ["run.completed", "run.failed"]
    args = [listed["id"]]
    assert client.post(reverse("api:webhook-test", args=args)).status_code == 202
    (delivery,) = client.get(reverse("api:webhook-deliveries", args=args)).json()["results"]
    assert (delivery["event"], delivery["status"]) == ("test", "pending")
    refused = client.post(
        reverse("api:webhook-list"), body | {"url": "http://[fd00:ec2::254]/"}, format="json"
    )
    assert refused.status_code == 400
    assert client.delete(reverse("api:webhook-detail", args=args)).status_code == 204
    assert client.get(reverse("api:webhook-detail", args=args)).status_code == 404
