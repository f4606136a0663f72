"""Finding jobs that wait with nobody told, or whose worker is gone."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from apps.core.dispatch import enqueue
from apps.training.models import FineTuningJob
from apps.training.running.claiming import AT_WORK, waiting_jobs
from apps.training.running.services import TRAIN_TASK
from apps.training.running.sweeps import trials_end
from apps.training.running.workers import alive_heartbeats, free_heartbeats

#: A message that nobody took is sent again after this.
PATIENCE = timedelta(seconds=20)
MOST_AT_ONCE = 100
NO_WORKER = "No worker that trains is running. Start one (manage.py worker --queues gpu), and the job begins."
Status = FineTuningJob.Status


def jobs_sweep() -> None:
    """Offer waiting jobs to a worker that is free, end those that were cancelled while nobody had them, and
    say of the others why they wait."""
    now = timezone.now()
    silent = Q(lease_until=None) | Q(lease_until__lt=now)
    cancelled = FineTuningJob.objects.filter(
        silent, status__in=AT_WORK, stop_requested="cancel", technique__in=("lora", "full")
    )
    for job in list(cancelled[:MOST_AT_ONCE]):
        if cancelled.filter(pk=job.pk).update(status=Status.CANCELLED, finished_at=now, lease_until=None):
            trials_end(job, "Stopped.")
    waiting = FineTuningJob.objects.filter(waiting_jobs())
    if not waiting.exists():
        return
    _say_why(beating_any=alive_heartbeats().exists())
    if free_heartbeats().exists():
        late = waiting.filter(Q(offered_at=None) | Q(offered_at__lt=now - PATIENCE))
        if late.update(offered_at=now):
            enqueue(TRAIN_TASK, queue="gpu")


def _say_why(*, beating_any: bool) -> None:
    """Only what changes is written: the page shows it."""
    pending = FineTuningJob.objects.filter(status=Status.PENDING, technique__in=("lora", "full"))
    if beating_any:
        pending.filter(status_reason=NO_WORKER).update(status_reason="")
    else:
        late = pending.filter(offered_at__lt=timezone.now() - PATIENCE)
        late.exclude(status_reason=NO_WORKER).update(status_reason=NO_WORKER)
