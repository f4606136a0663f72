"""Moving runs between states: pause, resume, cancel, and retrying what failed."""

from __future__ import annotations

from decimal import Decimal

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.evaluations.budget_services import check_budgets
from apps.evaluations.engine.dispatch import enqueue_drive, enqueue_finalize, enqueue_scoring
from apps.evaluations.engine.leases import PATIENCE, items_lock
from apps.evaluations.engine.stages import earliest_stage
from apps.evaluations.errors import RunStateConflict
from apps.evaluations.models import EvalItem, EvalRun
from apps.evaluations.run_news import notify_run

_MOVED = ("status", "status_reason", "finished_at", "finalized_at", "driver_token", "driver_lease_until")


def eval_run_pause(*, run: EvalRun, by: Actor, reason: str = "") -> EvalRun:
    """Stop claiming items; calls that are under way are dropped and made again on resume."""
    return _move(
        run, by, "pause", ("pending", "running"), EvalRun.Status.PAUSED, reason or f"Paused by {by.label}."
    )


def eval_run_resume(
    *, run: EvalRun, by: Actor, budget_usd: Decimal | None = None, budget_tokens: int | None = None
) -> EvalRun:
    """Go on with a paused run, or with what a cancelled one had left; budgets given are the new ones."""
    check_budgets(run.project, run.model, budget_usd=budget_usd)
    budgets = {"budget_usd": budget_usd, "budget_tokens": budget_tokens}
    changed = {name: value for name, value in budgets.items() if value is not None}
    with transaction.atomic():
        if changed:
            before = {name: _told(getattr(run, name)) for name in changed}
            EvalRun.objects.filter(pk=run.pk).update(**changed)
            after = {name: _told(value) for name, value in changed.items()}
            audit(by, "eval_run.budget", run, project=run.project, before=before, after=after)
        # A recorded run goes back to where it was: taking results, or scoring them.
        scoring = run.recorded and run.started_at is not None
        to = EvalRun.Status.RUNNING if scoring else EvalRun.Status.PENDING
        run = _move(run, by, "resume", ("paused", "cancelled"), to, "")
        _judge_on(run)
        if not scoring:
            _open_items(run, ("cancelled",))
        _enqueue_next(run)
    return run


def eval_run_cancel(*, run: EvalRun, by: Actor) -> EvalRun:
    """End the run now. What was answered stays; what was not is marked cancelled."""
    with transaction.atomic():
        run = _move(
            run,
            by,
            "cancel",
            ("pending", "running", "paused"),
            EvalRun.Status.CANCELLED,
            f"Cancelled by {by.label}.",
        )
        open_items = run.items.filter(status__in=("pending", "answered"))
        items_lock(open_items)
        open_items.update(status=EvalItem.Status.CANCELLED, lease_token=None, lease_until=None)
        enqueue_finalize(run)
    return run


def eval_run_retry_failed(*, run: EvalRun, by: Actor) -> EvalRun:
    """Answer again what failed, and nothing else."""
    with transaction.atomic():
        failed = run.items.filter(status="failed")
        if not failed.exists():
            raise RunStateConflict(f"No item of {run.name} has failed, so there is nothing to retry.")
        run = _move(run, by, "retry_failed", ("completed", "failed", "cancelled"), EvalRun.Status.PENDING, "")
        _open_items(run, ("failed",))
        _enqueue_next(run)
    return run


def _move(run: EvalRun, by: Actor, verb: str, allowed: tuple[str, ...], to: str, reason: str) -> EvalRun:
    with transaction.atomic():
        run = (
            EvalRun.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project")
            .get(pk=run.pk)
        )
        if run.status not in allowed:
            raise RunStateConflict(
                f"{run.name} is {run.status}; this takes a run that is {' or '.join(allowed)}.",
                status_now=run.status,
            )
        if run.recorded and verb == "retry_failed":
            raise RunStateConflict(f"{run.name} records outputs made elsewhere: post them again instead.")
        before = run.status
        run.status, run.status_reason = to, reason
        run.finished_at = timezone.now() if to in EvalRun.TERMINAL else None
        run.finalized_at = None
        run.driver_token += 1  # whoever drives it now has lost it
        run.driver_lease_until = timezone.now() + PATIENCE
        # Only these: naming a key's columns would lock the row against all that refers to it.
        run.save(update_fields=_MOVED)
        audit(
            by, f"eval_run.{verb}", run, project=run.project, before={"status": before}, after={"status": to}
        )
        if to in (EvalRun.Status.PAUSED, *EvalRun.TERMINAL):
            notify_run(run, by=by)
    return run


def _open_items(run: EvalRun, states: tuple[str, ...]) -> None:
    run.items.filter(status__in=states).update(
        status=EvalItem.Status.PENDING,
        attempts=0,
        error="",
        error_kind="",
        lease_token=None,
        lease_until=None,
        next_attempt_at=None,
    )


def _judge_on(run: EvalRun) -> None:
    """What has its answer is not answered again: it goes on with the scores that it lacks."""
    waiting = Q(status="answered") | Q(status="cancelled", answered_at__isnull=False, error_kind="")
    items_lock(run.items.filter(waiting))
    run.items.filter(waiting).update(
        status=EvalItem.Status.ANSWERED,
        scoring_attempts=0,
        next_attempt_at=None,
        lease_token=None,
        lease_until=None,
    )


def _enqueue_next(run: EvalRun) -> None:
    """Answering first; scoring where nothing is left to answer. A recorded run waits for its results."""
    if run.recorded and run.status == EvalRun.Status.PENDING:
        EvalRun.objects.filter(pk=run.pk).update(driver_lease_until=None)
    elif run.recorded or not run.items.filter(status="pending").exists():
        enqueue_scoring(run, earliest_stage(run))
    else:
        enqueue_drive(run)


def _told(budget: Decimal | int | None) -> str | None:
    return None if budget is None else f"{Decimal(budget).normalize():f}"
