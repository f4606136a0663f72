"""Claims on a run and its items: short, renewed while the work goes on, and fenced.

A worker that dies stops renewing, and the sweep hands its work to another. A worker that was thought
dead and comes back finds that its token no longer fits, and writes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.db import connection, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.evaluations.engine.work import WorkItem
from apps.evaluations.models import EvalItem, EvalRun

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)
#: Also how soon a slice notices that its run was paused or cancelled.
RENEW_EVERY_S = 1.0
#: How long a turn may wait in its queue before the sweep sends its message again (which does no harm).
PATIENCE = timedelta(seconds=20)


def run_claim(run_id: UUID, turn: int) -> EvalRun | None:
    """Take the wheel of a run for one slice; None when this turn was taken already, or the run was stopped.

    A message names the turn it is for (the run's `driver_token`). Taking it counts the token up, so a
    message delivered twice, or sent again by the sweep, drives nothing twice.
    """
    now = timezone.now()
    runs = EvalRun.objects.select_related("project", "prompt_version", "model__provider", "dataset_version")
    run = runs.filter(pk=run_id, driver_token=turn, status__in=("pending", "running")).first()
    if run is None:
        return None
    fields = {
        "status": "running",
        "started_at": run.started_at or now,
        "driver_token": turn + 1,
        "driver_lease_until": now + LEASE,
    }
    if not EvalRun.objects.filter(pk=run_id, driver_token=turn, status=run.status).update(**fields):
        return None
    for name, value in fields.items():
        setattr(run, name, value)
    return run


def run_release(run: EvalRun, *, wait: timedelta = timedelta(0)) -> bool:
    """Let go of the wheel: the next turn is to begin after `wait`. False when it was lost already."""
    return bool(
        EvalRun.objects.filter(pk=run.pk, driver_token=run.driver_token, status="running").update(
            driver_lease_until=timezone.now() + wait + PATIENCE
        )
    )


_CLAIM = """
WITH chosen AS (
    SELECT id FROM evaluations_evalitem
    WHERE run_id = %s AND status = %s AND stage = %s
      AND (lease_until IS NULL OR lease_until < now())
      AND (next_attempt_at IS NULL OR next_attempt_at <= now())
    ORDER BY position, repetition
    LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE evaluations_evalitem AS item
SET lease_token = %s, lease_until = now() + %s * interval '1 second'
FROM chosen WHERE item.id = chosen.id
RETURNING item.id
"""


#: What is being stored at this moment is locked and needs no renewal; each would wait for the other.
_RENEW = """
UPDATE evaluations_evalitem SET lease_until = now() + %s * interval '1 second'
WHERE id IN (SELECT id FROM evaluations_evalitem WHERE lease_token = %s FOR UPDATE SKIP LOCKED)
"""


def items_claim(run: EvalRun, *, status: str, token: UUID, most: int, stage: int = 0) -> list[WorkItem]:
    """Claim up to `most` items of a run in their order; items that others hold are skipped.

    `stage` is the stage of scoring that answered items wait for; pending ones wait for none.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [run.pk, status, stage, most, token, LEASE.total_seconds()])
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return []
    items = EvalItem.objects.filter(pk__in=ids).select_related("example").order_by("position", "repetition")
    return [_work_item(item) for item in items]


def _work_item(item: EvalItem) -> WorkItem:
    example = item.example
    return WorkItem(
        id=item.pk,
        example_key=item.example_key,
        repetition=item.repetition,
        attempts=item.scoring_attempts if item.status == EvalItem.Status.ANSWERED else item.attempts,
        inputs=example.inputs,
        reference=example.reference,
        metadata=example.metadata,
        output=item.output,
        tool_calls=item.tool_calls,
        finish_reason=item.finish_reason,
        latency_ms=item.latency_ms,
        cost_usd=item.cost_usd,
        input_tokens=item.input_tokens,
        output_tokens=item.output_tokens,
        rendered=item.rendered,
    )


def items_lock(items: QuerySet[EvalItem]) -> None:
    """Lock rows before several are changed at once; inside of a transaction.

    Everybody who waits for rows does so in the order of their keys, so that none wait for each other.
    """
    list(items.order_by("pk").select_for_update(no_key=True).values_list("pk"))


def items_release(token: UUID) -> None:
    """Give claimed items back as they were."""
    held = EvalItem.objects.filter(lease_token=token)
    with transaction.atomic():
        items_lock(held)
        held.update(lease_token=None, lease_until=None)


def turn_lasts(run: EvalRun) -> bool:
    """True while the run runs in the turn that `run` was read in."""
    return EvalRun.objects.filter(pk=run.pk, status="running", driver_token=run.driver_token).exists()


@contextmanager
def kept_alive(run: EvalRun, token: UUID, *, as_driver: bool = True) -> Iterator[threading.Event]:
    """Renew the leases of the run and of the items under `token` from a thread, until the block ends.

    Gives an event that is set once the run was taken from us or stopped: work may be dropped then. Without
    `as_driver` only the items' leases are renewed, and only a run that stopped is lost.
    """
    done, lost = threading.Event(), threading.Event()
    renew = _renew if as_driver else _renew_items
    keeper = threading.Thread(
        target=_keep, args=(renew, run, token, done, lost), name="lease-keeper", daemon=True
    )
    keeper.start()
    try:
        yield lost
    finally:
        done.set()
        keeper.join()


def _keep(
    renew: Callable[[EvalRun, UUID], bool],
    run: EvalRun,
    token: UUID,
    done: threading.Event,
    lost: threading.Event,
) -> None:
    try:
        while not done.wait(RENEW_EVERY_S):
            try:
                if not renew(run, token):
                    lost.set()
            except Exception:  # the database may be away for a moment; the lease says who wins then
                log.warning("Could not renew the lease of run %s", run.pk, exc_info=True)
                connections.close_all()
    finally:
        connections.close_all()


def _renew_items(run: EvalRun, token: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [LEASE.total_seconds(), token])
    return EvalRun.objects.filter(pk=run.pk, status="running").exists()


def _renew(run: EvalRun, token: UUID) -> bool:
    _renew_items(run, token)
    until = timezone.now() + LEASE
    return bool(
        EvalRun.objects.filter(pk=run.pk, driver_token=run.driver_token, status="running").update(
            driver_lease_until=until
        )
    )
