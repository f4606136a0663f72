"""Whether database, broker and a worker on each queue answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from apps.core.models import WorkerHeartbeat

FRESH_S = 30


def what_does_not_answer(*, since: datetime | None = None) -> list[str]:
    """Names such as "database", "broker", "worker:llm"; empty when all is ready.

    A worker that was killed seems to live for a while: what was heard before `since` does not count.
    """
    missing = []
    if not _broker_answers():
        missing.append("broker")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        served = _queues_served(since)
    except DatabaseError:
        return ["database", *missing, *(f"worker:{queue}" for queue in settings.QUEUES)]
    return missing + [f"worker:{queue}" for queue in settings.QUEUES if queue not in served]


def _queues_served(since: datetime | None) -> set[str]:
    fresh = timezone.now() - timedelta(seconds=FRESH_S)
    rows = WorkerHeartbeat.objects.filter(seen_at__gte=max(fresh, since or fresh)).values_list(
        "queues", flat=True
    )
    return {queue for queues in rows for queue in queues}


def _broker_answers() -> bool:
    from celery import current_app
    from kombu.exceptions import OperationalError

    try:
        with current_app.connection_for_write(connect_timeout=2) as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=2)
    except (OperationalError, OSError):
        return False
    return True
