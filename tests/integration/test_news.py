"""The end of a run is told: at its owner's bell, by mail, and to webhooks; once each, whatever happens."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from apps.core import notifications
from apps.core.errors import InvalidInput
from apps.core.models import Notification, Project, ProjectWebhook, User, WebhookDelivery
from apps.core.notifications import news_mail, news_read, notify, unread_count, wants_mail_set
from apps.core.roles import Role
from apps.core.webhook_delivery import WAITS, delivery_attempt
from apps.core.webhooks import (
    deliveries_sweep,
    delivery_again,
    webhook_create,
    webhook_event,
    webhook_remove,
    webhook_test,
)
from apps.evaluations.models import EvalRun, RunNews
from apps.evaluations.run_moves import eval_run_cancel, eval_run_pause
from apps.evaluations.run_news import notify_run, run_news_sweep, run_news_tell
from tests.factories.core import SYSTEM, actor_for, make_api_key, make_member, make_user
from tests.factories.evaluations import make_run
from tests.loopback_server import LoopbackServer

pytestmark = pytest.mark.django_db(transaction=True)


class Receiver(LoopbackServer):
    """Somebody's server: notes what it gets, and answers with `code`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.code = 200
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?team=1"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((headers | {":path": self.path}, body))
        self.send_response(self.server.code)
        self.send_header("location", "http://169.254.169.254/")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quietly."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """The tasks that were enqueued, in order."""
    tasks: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr("apps.core.dispatch._send", lambda name, *rest: tasks.append((name, rest[-1])))
    return tasks


@pytest.fixture
def owner(project: Project) -> User:
    return make_member(project, Role.EDITOR)


@pytest.fixture
def run(project: Project, owner: User) -> EvalRun:
    run = make_run(project, outputs=["a", None, "c", "d"], status="running")
    EvalRun.objects.filter(pk=run.pk).update(status="running")
    return _owned(run, "user", str(owner.pk))


def _owned(run: EvalRun, kind: str, id: str) -> EvalRun:
    """The same run, as if this person or key had made it (a run's author never changes otherwise)."""
    run.author_kind, run.author_id = kind, id
    made = EvalRun(
        **{
            field.attname: getattr(run, field.attname)
            for field in EvalRun._meta.concrete_fields
            if field.attname not in ("id", "number")
        },
        number=run.number + 1000,
    )
    made.save()
    return made


def tell_all() -> None:
    for news in RunNews.objects.filter(told_at=None).order_by("pk"):
        run_news_tell(news.pk)


def hook(project: Project, url: str, *events: str) -> tuple[ProjectWebhook, str]:
    return webhook_create(
        project=project, by=SYSTEM, name="Ours", url=url, events=events or ["run.completed", "run.cancelled"]
    )


# -- at the bell


def test_the_owner_is_told_once_where_the_run_stands(run: EvalRun, owner: User, sent: list[Any]) -> None:
    run.status = "completed"
    notify_run(run)
    news = RunNews.objects.get()
    assert ("worker.evaluations.tell_of_run", {"news_id": news.pk}) in sent
    run_news_tell(news.pk)
    run_news_tell(news.pk)
    told = Notification.objects.get()
    assert told.user == owner
    assert f"#{run.number}) is completed" in told.title
    assert told.url.endswith(f"/runs/{run.number}/")
    assert unread_count(owner) == 1
    news_read(user=owner, id=told.pk)
    assert unread_count(owner) == 0


def test_nobody_is_told_what_they_did_themselves(run: EvalRun, owner: User, project: Project) -> None:
    eval_run_pause(run=run, by=actor_for(owner, project))
    tell_all()
    assert not Notification.objects.exists()
    somebody = make_member(project, Role.EDITOR)
    eval_run_cancel(run=run, by=actor_for(somebody, project))
    tell_all()
    assert "is cancelled" in Notification.objects.get(user=owner).title


def test_who_made_the_key_is_told_of_its_runs(project: Project, sent: list[Any]) -> None:
    maker = make_member(project, Role.EDITOR)
    key, _ = make_api_key(project, Role.EDITOR)
    key.made_by = maker.email.upper()
    key.save()
    run = _owned(make_run(project, status="failed"), "api_key", str(key.pk))
    notify_run(run)
    tell_all()
    assert Notification.objects.get().user == maker


def test_who_left_the_project_is_not_told(run: EvalRun, owner: User) -> None:
    owner.memberships.all().delete()
    notify_run(run)
    tell_all()
    assert not Notification.objects.exists()
    assert not RunNews.objects.filter(told_at=None).exists()


def test_news_that_were_lost_are_told_again(run: EvalRun, sent: list[Any]) -> None:
    run.status = "failed"
    notify_run(run)
    sent.clear()
    run_news_sweep()
    assert sent == []  # on its way still
    RunNews.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    run_news_sweep()
    assert [name for name, _ in sent] == ["worker.evaluations.tell_of_run"]
    tell_all()
    sent.clear()
    run_news_sweep()
    assert sent == []


# -- by mail


@pytest.fixture
def with_mail(settings: Any) -> None:
    settings.EMAIL_HOST = "mail.example.com"


def test_without_a_server_nothing_is_due(owner: User, project: Project) -> None:
    assert notify(user=owner, project=project, key="a", title="Hello").mail_due_at is None


def test_mail_goes_out_once_with_a_link(
    owner: User, project: Project, with_mail: None, sent: list[Any]
) -> None:
    news = notify(user=owner, project=project, key="a", title="It\nended", text="All of it.", url="/p/x/")
    assert [name for name, _ in sent] == [notifications.MAIL_TASK]
    assert news_mail(news_id=news.pk)
    assert not news_mail(news_id=news.pk)
    (message,) = mail.outbox
    assert message.to == [owner.email]
    assert "\n" not in message.subject
    assert "All of it." in message.body
    assert "/p/x/" in message.body


def test_who_wants_no_mail_gets_none(owner: User, project: Project, with_mail: None) -> None:
    news = notify(user=owner, project=project, key="a", title="One")
    wants_mail_set(user=owner, wants=False)
    assert not news_mail(news_id=news.pk)
    owner.refresh_from_db()
    assert notify(user=owner, project=project, key="b", title="Two").mail_due_at is None
    assert mail.outbox == []


def test_a_mail_server_that_refuses_is_asked_again_later_and_not_for_ever(
    owner: User, project: Project, with_mail: None, monkeypatch: pytest.MonkeyPatch, sent: list[Any]
) -> None:
    def refuse(_: object) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    news = notify(user=owner, project=project, key="a", title="One")
    for attempt in range(1, notifications.MOST_ATTEMPTS + 1):
        assert not news_mail(news_id=news.pk)
        news.refresh_from_db()
        assert news.mail_attempts == attempt
        if news.mail_due_at is not None:
            assert news.mail_due_at > timezone.now() + timedelta(seconds=50)
            assert not news_mail(news_id=news.pk)  # not due yet
            Notification.objects.update(mail_due_at=timezone.now())
            sent.clear()
            notifications.news_sweep()
            assert len(sent) == 1
    assert news.mail_due_at is None


# -- to webhooks


def test_a_run_s_end_is_delivered_signed(run: EvalRun, project: Project, receiver: Receiver) -> None:
    _, secret = hook(project, receiver.url)
    run.status = "completed"
    notify_run(run)
    tell_all()
    tell_all()
    delivery = WebhookDelivery.objects.get()
    delivery_attempt(delivery_id=delivery.pk)
    delivery_attempt(delivery_id=delivery.pk)
    ((headers, body),) = receiver.got
    at, given = (part.split("=", 1)[1] for part in headers["webhook-signature"].split(","))
    assert given == hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    told = json.loads(body)
    assert (told["event"], told["run"]["number"], told["run"]["status"]) == (
        "run.completed",
        run.number,
        "completed",
    )
    assert headers[":path"] == "/hook?team=1"
    assert "authorization" not in headers
    delivery.refresh_from_db()
    assert (delivery.status, delivery.status_code, delivery.attempts) == ("completed", 200, 1)


def test_only_chosen_events_and_only_the_own_project(
    project: Project, other_project: Project, receiver: Receiver
) -> None:
    hook(project, receiver.url, "run.failed")
    webhook_event(project=project, event="run.completed", key="a", body={})
    webhook_event(project=other_project, event="run.failed", key="b", body={})
    assert not WebhookDelivery.objects.exists()


def test_a_server_in_trouble_is_tried_again_with_growing_waits_until_it_is_given_up(
    project: Project, receiver: Receiver, sent: list[Any]
) -> None:
    webhook, _ = hook(project, receiver.url)
    receiver.code = 503
    delivery = webhook_test(project=project, by=SYSTEM, webhook=webhook)
    for wait in WAITS:
        delivery_attempt(delivery_id=delivery.pk)
        delivery.refresh_from_db()
        assert (delivery.status, delivery.status_code) == ("pending", 503)
        assert delivery.next_attempt_at is not None
        assert abs(delivery.next_attempt_at - timezone.now() - wait) < timedelta(seconds=5)
        WebhookDelivery.objects.update(next_attempt_at=timezone.now())
        sent.clear()
        deliveries_sweep()
        assert len(sent) == 1
    delivery_attempt(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.status, delivery.error) == ("failed", "It answered 503.")
    receiver.code = 200
    delivery_again(project=project, by=SYSTEM, delivery=delivery)
    delivery_attempt(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.status == "completed"


def test_redirects_are_not_followed_and_gone_is_believed(project: Project, receiver: Receiver) -> None:
    webhook, _ = hook(project, receiver.url)
    for code, status in ((302, "pending"), (410, "failed")):
        receiver.code = code
        delivery = webhook_test(project=project, by=SYSTEM, webhook=webhook)
        delivery_attempt(delivery_id=delivery.pk)
        delivery.refresh_from_db()
        assert (delivery.status, delivery.status_code) == (status, code)


def test_a_worker_that_died_while_delivering_is_replaced(project: Project, receiver: Receiver) -> None:
    webhook, _ = hook(project, receiver.url)
    delivery = webhook_test(project=project, by=SYSTEM, webhook=webhook)
    WebhookDelivery.objects.update(attempts=1, next_attempt_at=timezone.now() + timedelta(seconds=50))
    delivery_attempt(delivery_id=delivery.pk)
    assert receiver.got == []  # somebody has it
    WebhookDelivery.objects.update(next_attempt_at=timezone.now())
    delivery_attempt(delivery_id=delivery.pk)
    assert len(receiver.got) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://metadata.google.internal/",
        "ftp://host/",
        "http://[fe80::1]/x",
    ],
)
def test_metadata_addresses_are_refused_when_it_is_made(project: Project, url: str) -> None:
    with pytest.raises(InvalidInput):
        hook(project, url)


def test_and_again_when_it_is_called(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: Any) -> list[str]:
        return ["169.254.169.254"]

    monkeypatch.setattr("apps.core.guarded_transport._resolve", resolve)
    webhook, _ = hook(project, "http://harmless.example/hook")
    delivery = webhook_test(project=project, by=SYSTEM, webhook=webhook)
    delivery_attempt(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert "link-local" in delivery.error


def test_an_unreachable_server_is_told_in_words(project: Project) -> None:
    webhook, _ = hook(project, "http://127.0.0.1:9/hook")
    delivery = webhook_test(project=project, by=SYSTEM, webhook=webhook)
    delivery_attempt(delivery_id=delivery.pk)
    delivery.refresh_from_db()
    assert delivery.status == "pending"
    assert delivery.error.startswith("The call failed")


def test_a_removed_webhook_is_told_nothing_more(project: Project, receiver: Receiver) -> None:
    webhook, secret = hook(project, receiver.url)
    assert secret not in webhook.secret
    delivery = webhook_test(project=project, by=SYSTEM, webhook=webhook)
    webhook_remove(project=project, by=SYSTEM, webhook=webhook)
    delivery_attempt(delivery_id=delivery.pk)
    webhook_event(project=project, event="run.completed", key="a", body={})
    assert receiver.got == []
    assert WebhookDelivery.objects.get().status == "failed"


def test_somebody_without_a_project_has_no_news() -> None:
    assert unread_count(make_user()) == 0
