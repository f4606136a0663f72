"""Telling a run's owner and the project's webhooks that it has ended or paused.

`notify_run` writes down, with the run's state, that there is something to tell. Telling is a task of its own,
safe to do twice, and sent again by a sweep when it was lost.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.authors import author_of
from apps.core.dispatch import enqueue
from apps.core.notifications import notify
from apps.core.webhooks import webhook_event
from apps.evaluations.models import EvalRun, RunNews
from apps.evaluations.run_answers import runs_json

TELL_TASK = "worker.evaluations.tell_of_run"
#: The sweep leaves a message so long on its way before it sends another.
PATIENCE = timedelta(seconds=20)
KEPT_FOR = timedelta(days=7)
MOST_AT_ONCE = 200
_TONES = {"completed": "good", "failed": "bad", "paused": "warn", "cancelled": "neutral"}
_WORDS = {
    "completed": "is completed",
    "failed": "has failed",
    "paused": "is paused",
    "cancelled": "is cancelled",
}


def notify_run(run: EvalRun, *, by: Actor | None = None) -> None:
    """Have the run's end or pause told; inside the transaction that writes it. `by` is whoever did it."""
    news = RunNews.objects.create(
        run=run,
        status=run.status,
        reason=run.status_reason,
        by_id=by.id if by is not None and by.kind == "user" else "",
    )
    enqueue(TELL_TASK, queue="default", news_id=news.pk)


def run_news_tell(news_id: int) -> None:
    """Tell it once; a second delivery of the task does nothing."""
    with transaction.atomic():
        found = RunNews.objects.select_for_update(skip_locked=True).filter(pk=news_id, told_at=None).first()
        if found is None:
            return
        run = EvalRun.objects.select_related(
            "project", "prompt_version__prompt", "dataset_version__dataset"
        ).get(pk=found.run_id)
        _tell_owner(run, found)
        body = {"project": run.project.slug, "run": _state(run, found)}
        webhook_event(project=run.project, event=f"run.{found.status}", key=f"run-news:{found.pk}", body=body)
        found.told_at = timezone.now()
        found.save(update_fields=["told_at"])


def run_news_sweep() -> None:
    """Send again what was not told, and forget what was."""
    now = timezone.now()
    untold = RunNews.objects.filter(told_at=None, created_at__lt=now - PATIENCE).order_by("pk")
    for pk in untold.values_list("pk", flat=True)[:MOST_AT_ONCE]:
        enqueue(TELL_TASK, queue="default", news_id=pk)
    old = RunNews.objects.filter(told_at__lt=now - KEPT_FOR)
    RunNews.objects.filter(pk__in=old.values("pk")[:MOST_AT_ONCE]).delete()


def _tell_owner(run: EvalRun, news: RunNews) -> None:
    owner = author_of(run, run.project)
    if owner is None or str(owner.pk) == news.by_id:
        return
    notify(
        user=owner,
        project=run.project,
        key=f"run-news:{news.pk}",
        title=f"{run.name} (#{run.number}) {_WORDS[news.status]}",
        text=news.reason or _figures(run),
        url=reverse("evaluations:run-detail", args=[run.project.slug, run.number]),
        tone=_TONES[news.status],
    )


def _figures(run: EvalRun) -> str:
    counts = runs_json([run])[0]["counts"]
    failed = f", {counts['failed']:,} failed" if counts["failed"] else ""
    return f"{counts['completed']:,} of {counts['total']:,} completed{failed}."


def _state(run: EvalRun, news: RunNews) -> dict[str, Any]:
    """The run as REST shows it, in the state that is told (it may have moved on since), and where to look."""
    told = runs_json([run])[0] | {"status": news.status, "status_reason": news.reason or None}
    return told | {"page": reverse("evaluations:run-detail", args=[run.project.slug, run.number])}
