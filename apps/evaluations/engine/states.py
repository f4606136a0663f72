"""The ends of a run that its own work brings about. A terminal state commits alone; the rest comes after."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.evaluations.engine.dispatch import enqueue_finalize, enqueue_scoring
from apps.evaluations.engine.leases import items_lock
from apps.evaluations.engine.stages import earliest_stage
from apps.evaluations.models import EvalRun
from apps.evaluations.run_news import notify_run


def eval_run_complete(*, run: EvalRun) -> bool:
    """End a run that has nothing left to do; False when it was ended, moved or given more work meanwhile."""
    with transaction.atomic():
        locked = _still_ours(run)
        if locked is None:
            return False
        counts = run.items.aggregate(
            open=Count("pk", filter=Q(status__in=("pending", "answered"))),
            failed=Count("pk", filter=Q(status="failed")),
            completed=Count("pk", filter=Q(status="completed")),
        )
        if counts["open"]:
            return False
        everything_failed = bool(counts["failed"]) and not counts["completed"]
        reason = locked.status_reason or (_why_all_failed(run) if everything_failed else "")
        _end(locked, EvalRun.Status.FAILED if reason else EvalRun.Status.COMPLETED, reason)
    return True


def eval_run_fail_rest(*, run: EvalRun, kind: str, reason: str) -> None:
    """End a run in which no further call can succeed: what is open fails with the same reason, uncalled.

    Where answers still wait for their scores, the run ends, with this reason, once they have them.
    """
    with transaction.atomic():
        locked = _still_ours(run)
        if locked is None:
            return
        open_items = run.items.filter(status="pending")
        items_lock(open_items)
        open_items.update(status="failed", error_kind=kind, error=reason, lease_token=None, lease_until=None)
        if run.items.filter(status="answered").exists():
            locked.status_reason, locked.driver_lease_until = reason, None
            locked.save(update_fields=["status_reason", "driver_lease_until"])
            enqueue_scoring(locked, earliest_stage(locked))
        else:
            _end(locked, EvalRun.Status.FAILED, reason)


def eval_run_pause_by_system(*, run: EvalRun, reason: str) -> None:
    """Pause until a person acts (the account is out of quota); nothing is lost, resume goes on."""
    with transaction.atomic():
        locked = _still_ours(run)
        if locked is None:
            return
        locked.status, locked.status_reason, locked.driver_lease_until = EvalRun.Status.PAUSED, reason, None
        locked.save(update_fields=["status", "status_reason", "driver_lease_until"])
        _audit_move(locked, "pause")
        notify_run(locked)


def _still_ours(run: EvalRun) -> EvalRun | None:
    """The run, locked, if it still runs under our token."""
    return (
        EvalRun.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project")
        .filter(pk=run.pk, status="running", driver_token=run.driver_token)
        .first()
    )


def _end(run: EvalRun, status: str, reason: str) -> None:
    run.status, run.status_reason = status, reason
    run.finished_at, run.finalized_at, run.driver_lease_until = timezone.now(), None, None
    run.save(update_fields=["status", "status_reason", "finished_at", "finalized_at", "driver_lease_until"])
    _audit_move(run, "end")
    enqueue_finalize(run)
    notify_run(run)


def _audit_move(run: EvalRun, verb: str) -> None:
    after = {"status": run.status} | ({"reason": run.status_reason} if run.status_reason else {})
    audit(Actor.worker("driver"), f"eval_run.{verb}", run, project=run.project, after=after)


def _why_all_failed(run: EvalRun) -> str:
    first = run.items.filter(status="failed").order_by("position").values_list("error", flat=True).first()
    return f"Every item failed. The first said: {first}"
