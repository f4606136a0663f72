"""Sending one event to one webhook, in a worker: signed, bounded in time and size, tried again later.

The body is JSON. `Webhook-Signature: t=SECONDS,v1=HEX` holds the HMAC-SHA256 of "SECONDS.BODY" under the
webhook's secret: whoever receives it makes the same and compares, and refuses what is minutes old.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from apps.core.crypto import decrypt
from apps.core.models import WebhookDelivery
from apps.core.url_guard import ForbiddenAddress

TIMEOUT_S = 10.0
#: While one worker tries, no other does; when it died, another tries again after this.
LEASE = timedelta(seconds=60)
#: What is waited after each failed try: about a day in all.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 300, 1800, 7200, 28800, 43200))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back; `error` is "" when it was taken (any 2xx). `final`: no later try can go better."""

    status_code: int | None = None
    error: str = ""
    final: bool = False


def signature(secret: str, at: int, body: bytes) -> str:
    """The value of the header Webhook-Signature."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def delivery_attempt(*, delivery_id: UUID) -> None:
    """Try to deliver, if it is due. Safe to call again: only one does it at a time."""
    now = timezone.now()
    due = WebhookDelivery.objects.filter(pk=delivery_id, status="pending", next_attempt_at__lte=now)
    if not due.update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1):
        return
    delivery = WebhookDelivery.objects.select_related("webhook").get(pk=delivery_id)
    outcome = asyncio.run(_send(delivery))
    _store(delivery, outcome)


def _store(delivery: WebhookDelivery, outcome: Outcome) -> None:
    now = timezone.now()
    gives_up = outcome.final or delivery.attempts > len(WAITS)
    fields: dict[str, Any] = {"status_code": outcome.status_code, "error": outcome.error[:2000]}
    if not outcome.error:
        fields |= {"status": "completed", "next_attempt_at": None, "finished_at": now}
    elif gives_up:
        fields |= {"status": "failed", "next_attempt_at": None, "finished_at": now}
    else:
        fields |= {"next_attempt_at": now + WAITS[delivery.attempts - 1]}
    # Removed meanwhile, or another's after we took too long: theirs stands.
    ours = WebhookDelivery.objects.filter(pk=delivery.pk, status="pending", attempts=delivery.attempts)
    ours.update(**fields)


async def _send(delivery: WebhookDelivery) -> Outcome:
    import httpx2

    from apps.core.guarded_transport import ResponseTooLarge, guarded_client

    webhook, at = delivery.webhook, int(time.time())
    envelope = {
        "id": str(delivery.pk),
        "event": delivery.event,
        "created_at": delivery.created_at.isoformat(),
        **delivery.body,
    }
    body = json.dumps(envelope, ensure_ascii=False).encode()
    headers = {
        "content-type": "application/json",
        "user-agent": "llmops-web",
        "webhook-id": str(delivery.pk),
        "webhook-event": delivery.event,
        "webhook-signature": signature(decrypt(webhook.secret), at, body),
    }
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            guarded_client(api_key="", timeout_s=TIMEOUT_S, max_concurrency=1) as client,
            client.stream("POST", webhook.url, content=body, headers=headers) as response,
        ):
            code = response.status_code
    except ForbiddenAddress as error:
        return Outcome(error=str(error), final=True)
    except (TimeoutError, httpx2.TimeoutException):
        return Outcome(error=f"No answer came in {TIMEOUT_S:g} s.")
    except (httpx2.HTTPError, ResponseTooLarge, OSError) as error:
        return Outcome(error=f"The call failed: {error or type(error).__name__}.")
    if 200 <= code < 300:
        return Outcome(status_code=code)
    gone = code == 410
    text = "It answered 410 Gone, so it is not tried again." if gone else f"It answered {code}."
    return Outcome(status_code=code, error=text, final=gone)
