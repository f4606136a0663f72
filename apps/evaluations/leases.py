"""Claims on a run and its items: short, renewed while the work goes on, and fenced.

A worker that dies stops renewing, and the sweep hands its work to another. A worker that was thought
dead and comes back finds that its token no longer fits, and writes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.db import connection, connections
from django.db.models import Q
from django.utils import timezone

from apps.evaluations.engine import WorkItem
from apps.evaluations.models import EvalItem, EvalRun

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)
RENEW_EVERY_S = 4.0


def run_claim(run_id: UUID) -> EvalRun | None:
    """Take the wheel of a run for one slice; None when it needs no driver, or another one drives it."""
    now = timezone.now()
    taken = EvalRun.objects.filter(
        Q(driver_lease_until=None) | Q(driver_lease_until__lt=now),
        pk=run_id,
        status__in=("pending", "running"),
    )
    run = taken.select_related(
        "project", "prompt_version", "model__provider", "dataset_version__dataset"
    ).first()
    if run is None:
        return None
    fields = {"status": "running", "driver_token": run.driver_token + 1, "driver_lease_until": now + LEASE}
    if run.started_at is None:
        fields["started_at"] = now
    if not taken.filter(driver_token=run.driver_token).update(**fields):
        return None
    for name, value in fields.items():
        setattr(run, name, value)
    return run


def run_release(run: EvalRun, *, not_before: timedelta = timedelta(0)) -> bool:
    """Let go of the wheel; with `not_before`, nobody takes it until then. False when it was lost already."""
    until = timezone.now() + not_before if not_before else None
    return bool(
        EvalRun.objects.filter(pk=run.pk, driver_token=run.driver_token, status="running").update(
            driver_lease_until=until
        )
    )


def items_claim(run: EvalRun, *, status: str, token: UUID, most: int) -> list[WorkItem]:
    """Claim up to `most` items of a run in their order; items that others hold are skipped."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH chosen AS (
                SELECT id FROM evaluations_evalitem
                WHERE run_id = %s AND status = %s
                  AND (lease_until IS NULL OR lease_until < now())
                  AND (next_attempt_at IS NULL OR next_attempt_at <= now())
                ORDER BY position, repetition
                LIMIT %s FOR UPDATE SKIP LOCKED
            )
            UPDATE evaluations_evalitem AS item SET lease_token = %s, lease_until = now() + %s
            FROM chosen WHERE item.id = chosen.id
            RETURNING item.id
            """,
            [run.pk, status, most, token, LEASE],
        )
        ids = [row[0] for row in cursor.fetchall()]
    items = EvalItem.objects.filter(pk__in=ids).select_related("example").order_by("position", "repetition")
    return [_work_item(item) for item in items]


def _work_item(item: EvalItem) -> WorkItem:
    example = item.example
    return WorkItem(
        id=item.pk,
        example_key=item.example_key,
        repetition=item.repetition,
        attempts=item.attempts,
        inputs=example.inputs,
        reference=example.reference,
        metadata=example.metadata,
        output=item.output,
    )


def items_release(token: UUID) -> None:
    """Give claimed items back as they were."""
    EvalItem.objects.filter(lease_token=token).update(lease_token=None, lease_until=None)


def items_held_by_others(run: EvalRun, token: UUID) -> int:
    """How many items other slices of this run are still working on."""
    return (
        run.items.filter(status="pending", lease_until__gt=timezone.now()).exclude(lease_token=token).count()
    )


@contextmanager
def kept_alive(run: EvalRun, token: UUID) -> Iterator[threading.Event]:
    """Renew the leases of the run and of the items under `token` from a thread, until the block ends.

    Gives an event that is set once the run was taken from us or stopped: work may be dropped then.
    """
    done, lost = threading.Event(), threading.Event()
    keeper = threading.Thread(target=_keep, args=(run, token, done, lost), name="lease-keeper", daemon=True)
    keeper.start()
    try:
        yield lost
    finally:
        done.set()
        keeper.join()


def _keep(run: EvalRun, token: UUID, done: threading.Event, lost: threading.Event) -> None:
    try:
        while not done.wait(RENEW_EVERY_S):
            try:
                if not _renew(run, token):
                    lost.set()
            except Exception:  # the database may be away for a moment; the lease says who wins then
                log.warning("Could not renew the lease of run %s", run.pk, exc_info=True)
                connections.close_all()
    finally:
        connections.close_all()


def _renew(run: EvalRun, token: UUID) -> bool:
    until = timezone.now() + LEASE
    EvalItem.objects.filter(run=run, lease_token=token).update(lease_until=until)
    return bool(
        EvalRun.objects.filter(pk=run.pk, driver_token=run.driver_token, status="running").update(
            driver_lease_until=until
        )
    )
