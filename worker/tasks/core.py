"""News by mail, and webhooks: sending what is due, and the sweeps that find it again."""

from __future__ import annotations

from uuid import UUID

from apps.core import notifications, webhook_delivery, webhooks
from worker.registry import sweeper, task


@task(notifications.MAIL_TASK, queue="default")
def send_news(news_id: str) -> None:
    notifications.news_mail(news_id=UUID(news_id))


@task(webhooks.DELIVER_TASK, queue="default")
def deliver_webhook(delivery_id: str) -> None:
    webhook_delivery.delivery_attempt(delivery_id=UUID(delivery_id))


sweeper("core.news")(notifications.news_sweep)
sweeper("core.webhooks")(webhooks.deliveries_sweep)
