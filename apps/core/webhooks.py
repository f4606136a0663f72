"""Webhooks of a project: URLs that are told of its events, signed, tried again, with a log."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.crypto import encrypt
from apps.core.dispatch import enqueue
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Project, ProjectWebhook, WebhookDelivery, new_id
from apps.core.url_guard import ForbiddenAddress, check_webhook_url

DELIVER_TASK = "worker.core.deliver_webhook"
#: Every event a webhook can be told of, with words for a person.
EVENTS = {
    "run.completed": "A run is completed",
    "run.failed": "A run has failed",
    "run.paused": "A run is paused",
    "run.cancelled": "A run is cancelled",
}
TEST_EVENT = "test"
MAX_NAME = 120
MOST_WEBHOOKS = 20
MOST_AT_ONCE = 200
KEPT_FOR = timedelta(days=30)


def webhook_create(
    *, project: Project, by: Actor, name: str, url: str, events: Sequence[str]
) -> tuple[ProjectWebhook, str]:
    """Make a webhook; returns it and its secret, which is shown this once. Raises InvalidInput."""
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > MAX_NAME:
        raise _invalid("name", f"Give the webhook a name of 1 to {MAX_NAME} characters.")
    unknown = [event for event in events if event not in EVENTS]
    if unknown or not events:
        raise _invalid("events", f"Choose among the events {', '.join(EVENTS)}.")
    try:
        url = check_webhook_url(url.strip())
    except ForbiddenAddress as error:
        raise _invalid("url", str(error)) from None
    secret = "whsec_" + secrets.token_urlsafe(32)
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if webhooks_of(project).count() >= MOST_WEBHOOKS:
            raise _invalid("name", f"A project has at most {MOST_WEBHOOKS} webhooks. Remove one first.")
        webhook = ProjectWebhook.objects.create(
            project=project,
            name=name,
            url=url,
            secret=encrypt(secret),
            events=[event for event in EVENTS if event in events],
            **ProjectWebhook.author_fields(by),
        )
        audit(by, "webhook.create", webhook, project=project, after=_audited(webhook))
    return webhook, secret


def webhook_remove(*, project: Project, by: Actor, webhook: ProjectWebhook) -> None:
    """Tell it nothing more. Its log stays for as long as any."""
    with transaction.atomic():
        ProjectWebhook.objects.filter(pk=webhook.pk).update(removed_at=timezone.now(), secret="")
        pending = WebhookDelivery.objects.filter(webhook=webhook, status=WebhookDelivery.Status.PENDING)
        pending.update(
            status=WebhookDelivery.Status.FAILED, next_attempt_at=None, error="The webhook was removed."
        )
        audit(by, "webhook.remove", webhook, project=project, before=_audited(webhook))


def webhook_test(*, project: Project, by: Actor, webhook: ProjectWebhook) -> WebhookDelivery:
    """Send it a test event, as any other is sent."""
    body = {"message": f"A test from {project.name}."}
    with transaction.atomic():
        delivery = _deliveries([webhook], event=TEST_EVENT, key=f"test:{new_id()}", body=body)[0]
        audit(by, "webhook.test", webhook, project=project)
    return delivery


def webhook_event(*, project: Project, event: str, key: str, body: dict[str, Any]) -> None:
    """Have every webhook of the project that wants to know told of an event, once for each `key`."""
    wanting = list(webhooks_of(project).filter(events__contains=[event]))
    if wanting:
        with transaction.atomic():
            _deliveries(wanting, event=event, key=key, body=body)


def delivery_again(*, project: Project, by: Actor, delivery: WebhookDelivery) -> None:
    """Try one that has failed once more, from the start."""
    failed = WebhookDelivery.objects.filter(pk=delivery.pk, status=WebhookDelivery.Status.FAILED)
    with transaction.atomic():
        if delivery.webhook.removed_at is None and failed.update(
            status=WebhookDelivery.Status.PENDING,
            attempts=0,
            next_attempt_at=timezone.now(),
            finished_at=None,
        ):
            audit(by, "webhook.deliver_again", delivery.webhook, project=project)
            enqueue(DELIVER_TASK, queue="default", delivery_id=str(delivery.pk))


def webhooks_of(project: Project) -> QuerySet[ProjectWebhook]:
    return ProjectWebhook.objects.filter(project=project, removed_at=None).order_by("-id")


def webhook_get(*, project: Project, id: UUID) -> ProjectWebhook:
    found = webhooks_of(project).filter(pk=id).first()
    if found is None:
        raise NotFound("There is no such webhook in this project.")
    return found


def deliveries_of(webhook: ProjectWebhook) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(webhook=webhook).order_by("-id")


def delivery_get(*, webhook: ProjectWebhook, id: UUID) -> WebhookDelivery:
    found = deliveries_of(webhook).select_related("webhook").filter(pk=id).first()
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def deliveries_sweep() -> None:
    """Enqueue deliveries that are due (again), and forget old ones."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(status=WebhookDelivery.Status.PENDING, next_attempt_at__lte=now)
    for pk in due.order_by("next_attempt_at").values_list("pk", flat=True)[:MOST_AT_ONCE]:
        enqueue(DELIVER_TASK, queue="default", delivery_id=str(pk))
    old = WebhookDelivery.objects.filter(created_at__lt=now - KEPT_FOR)
    WebhookDelivery.objects.filter(pk__in=old.values("pk")[:MOST_AT_ONCE]).delete()


def _deliveries(
    webhooks: Sequence[ProjectWebhook], *, event: str, key: str, body: dict[str, Any]
) -> list[WebhookDelivery]:
    rows = []
    for webhook in webhooks:
        row, made = WebhookDelivery.objects.get_or_create(
            webhook=webhook, key=key, defaults={"event": event, "body": body}
        )
        rows.append(row)
        if made:
            enqueue(DELIVER_TASK, queue="default", delivery_id=str(row.pk))
    return rows


def _audited(webhook: ProjectWebhook) -> dict[str, Any]:
    return {"name": webhook.name, "url": webhook.url, "events": webhook.events}


def _invalid(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
