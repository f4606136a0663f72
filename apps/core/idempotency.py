"""Idempotent creations: the Idempotency-Key header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import Conflict, InvalidInput
from apps.core.models import IdempotencyRecord, Project

IDEMPOTENCY_HEADER = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=False,
    description="A repeat with the same key and body answers what the first one did, and creates nothing.",
)
Handler = Callable[..., Response]
#: For how long a repeat is recognised.
ANSWERS_KEPT = timedelta(days=7)


def idempotent(handler: Handler) -> Handler:
    """For a view's `post` or `create`: honours the Idempotency-Key header.

    The record and what the handler writes commit together, so a crash between the two cannot be seen. The
    same key with another body is a Conflict. A failed creation is not remembered.
    """

    @wraps(handler)
    def wrapped(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if not key:
            return handler(self, request, *args, **kwargs)
        if len(key) > 200 or not key.isprintable():
            raise InvalidInput("Idempotency-Key takes at most 200 printable characters.")
        body_hash = _body_hash(request)
        with transaction.atomic():
            record, first = _claim(self.project, key, request.path[:200], body_hash)
            if not first:
                return Response(record.body, status=record.status)
            response = handler(self, request, *args, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
                return response
            record.status = response.status_code
            record.body = json.loads(JSONRenderer().render(response.data))
            record.save(update_fields=["status", "body"])
            return response

    return wrapped


def _body_hash(request: Request) -> str:
    return hashlib.sha256(
        json.dumps(request.data, sort_keys=True, default=str).encode(errors="replace")
    ).hexdigest()


def _claim(project: Project, key: str, route: str, body_hash: str) -> tuple[IdempotencyRecord, bool]:
    """The record of this key, and whether we are the first to use it. Waits for a rival's commit.

    ON CONFLICT rather than an insert that fails: a repeat is no error, also not in the database's log.
    """
    ours = IdempotencyRecord(project=project, key=key, route=route, request_hash=body_hash)
    IdempotencyRecord.objects.bulk_create([ours], ignore_conflicts=True)
    record = IdempotencyRecord.objects.get(project=project, key=key, route=route)
    if record.pk == ours.pk:
        return record, True
    if record.request_hash != body_hash:
        raise Conflict("This Idempotency-Key was used with another body. Use a new key for a new creation.")
    return record, False


def forget_old_answers() -> int:
    """Delete records of creations that nobody repeats any more; the number of them."""
    count, _ = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - ANSWERS_KEPT).delete()
    return count
