"""Who may work on a training set: a lease with a fencing number, checked at each write."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from apps.feedback.models import TrainingSet

LEASE = timedelta(seconds=90)
#: Making the tokenizer's folder, where no call to the embedded model has made it yet.
LEASE_TO_PREPARE = timedelta(minutes=6)
#: A message that nobody took is sent again after this.
PATIENCE = timedelta(seconds=30)
MOST_CLAIMS = 5
Status = TrainingSet.Status
#: Each asking begins a hundred of its own, so that the rest of a fence counts the tries at it.
_TRIES = 100


class LeaseLost(Exception):
    """The set was deleted, or another worker has taken it over."""


def claim(set_id: UUID) -> TrainingSet | None:
    """Take a set up that waits for its preview, or whose worker went silent; None where there is no need."""
    now = timezone.now()
    free = Q(status=Status.PENDING) | Q(status=Status.RUNNING, lease_until__lt=now)
    claimed = TrainingSet.objects.filter(free, pk=set_id).update(
        status=Status.RUNNING, fence=F("fence") + 1, lease_until=now + LEASE, progress={}
    )
    return TrainingSet.objects.select_related("project").get(pk=set_id) if claimed else None


def first_fence_after(fence: int) -> int:
    """Where the tries of a new asking begin."""
    return (fence // _TRIES + 1) * _TRIES


def tries(training_set: TrainingSet) -> int:
    """How often the present asking was taken up."""
    return training_set.fence % _TRIES


def hold(training_set: TrainingSet, *, lease: timedelta = LEASE, **fields: object) -> None:
    """Renew the lease and write progress. Raises LeaseLost where the set is no longer ours."""
    ours = TrainingSet.objects.filter(pk=training_set.pk, fence=training_set.fence, status=Status.RUNNING)
    if not ours.update(lease_until=timezone.now() + lease, **fields):
        raise LeaseLost(str(training_set.pk))


def left_alone() -> QuerySet[TrainingSet]:
    """Sets that somebody waits for and nobody works on."""
    waiting = (Status.PENDING, Status.RUNNING, Status.FREEZING)
    return TrainingSet.objects.filter(status__in=waiting, lease_until__lt=timezone.now()).order_by("pk")
