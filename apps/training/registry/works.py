"""Merges, imports, registrations: asked for, claimed by one worker, done, found again when it died."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from apps.core.dispatch import enqueue
from apps.core.errors import ProductError
from apps.core.models import User
from apps.core.notifications import notify
from apps.training.models import ModelVersion, RegistryWork

log = logging.getLogger(__name__)

TASKS = {
    RegistryWork.Kind.MERGE: ("worker.models.merge", "gpu"),
    RegistryWork.Kind.IMPORT: ("worker.models.import", "local"),
    RegistryWork.Kind.CHECKPOINT: ("worker.training.register_checkpoint", "default"),
}
LEASE = timedelta(minutes=2)
_RENEWED_EACH_S = 30.0
#: A message that nobody took is sent again after this; a training may hold the queue for hours.
PATIENCE = timedelta(minutes=5)
MOST_CLAIMS = 5
Status = RegistryWork.Status


class WorkLost(Exception):
    """Another worker has taken the work over: what this one has made is not kept."""


Doing = Callable[[RegistryWork], ModelVersion]


def work_enqueue(work: RegistryWork) -> None:
    """Within the transaction that made or swept it."""
    name, queue = TASKS[RegistryWork.Kind(work.kind)]
    RegistryWork.objects.filter(pk=work.pk).update(lease_until=timezone.now() + PATIENCE)
    enqueue(name, queue=queue, work_id=str(work.pk))


def work_run(*, work_id: UUID, doing: Doing) -> RegistryWork | None:
    """Claim the work and do it; None where another has it. What went wrong is told in its row."""
    now = timezone.now()
    free = Q(status=Status.PENDING) | Q(status=Status.RUNNING, lease_until__lt=now)
    claimed = RegistryWork.objects.filter(free, pk=work_id).update(
        status=Status.RUNNING, fence=F("fence") + 1, lease_until=now + LEASE
    )
    if not claimed:
        return None
    related = ("project", "source__base", "source__project", "made", "checkpoint")
    work = RegistryWork.objects.select_related(*related).get(pk=work_id)
    if work.made is not None:  # its worker was lost between the version and the end
        return _end(work, Status.COMPLETED, made=work.made)
    if work.fence > MOST_CLAIMS:
        return _end(work, Status.FAILED, reason="Its worker was lost each time. See the worker's log.")
    try:
        with _held(work):
            made = doing(work)
    except ProductError as error:
        return _end(work, Status.FAILED, reason=error.detail)
    except WorkLost:
        log.warning("%s %s was taken over by another worker", work.kind, work.pk)
        return None
    except Exception:
        log.exception("%s %s failed", work.kind, work.pk)
        _end(work, Status.FAILED, reason="An error that nobody expected; see the worker's log.")
        raise
    return _end(work, Status.COMPLETED, made=made)


def work_made(work: RegistryWork, version: ModelVersion) -> None:
    """Within the transaction that makes the version: a work makes one, by whoever has it. Raises WorkLost."""
    ours = RegistryWork.objects.filter(pk=work.pk, fence=work.fence, status=Status.RUNNING)
    if not ours.update(made=version):
        raise WorkLost(str(work.pk))


def _end(
    work: RegistryWork, status: str, *, reason: str = "", made: ModelVersion | None = None
) -> RegistryWork | None:
    ours = RegistryWork.objects.filter(pk=work.pk, fence=work.fence)
    done = ours.update(
        status=status, status_reason=reason, made=made, finished_at=timezone.now(), lease_until=None
    )
    work.refresh_from_db()
    if done:
        _tell(work)
    return work if done else None


def _tell(work: RegistryWork) -> None:
    """Whoever asked for it may have left the page long ago."""
    user = User.objects.filter(pk=work.author_id).first() if work.author_kind == "user" else None
    if user is None:
        return
    what = f"{work.get_kind_display()} of {work.name}"
    good = work.status == Status.COMPLETED
    notify(
        user=user,
        project=work.project,
        key=f"registry-work:{work.pk}",
        title=f"{what}: it is {work.made} now" if good and work.made else f"{what} failed",
        text=work.status_reason,
        url=reverse("training:model-work", args=(work.project.slug, work.pk)),
        tone="good" if good else "bad",
    )


@contextmanager
def _held(work: RegistryWork) -> Iterator[None]:
    """Renew the lease from a thread of its own while the work is done."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(_RENEWED_EACH_S):
            ours = RegistryWork.objects.filter(pk=work.pk, fence=work.fence, status=Status.RUNNING)
            try:
                ours.update(lease_until=timezone.now() + LEASE)
            except Exception:  # the database is away; the next renewal may come in time
                log.warning("The lease of %s could not be renewed", work.pk, exc_info=True)
            finally:
                connection.close()

    thread = threading.Thread(target=renew, name="registry-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def works_sweep() -> None:
    """Send again what nobody took up, or whose worker went silent."""
    left = RegistryWork.objects.filter(
        status__in=(Status.PENDING, Status.RUNNING), lease_until__lt=timezone.now()
    )
    for work in left.order_by("pk")[:100]:
        with transaction.atomic():
            # It waits again, so that whoever gets the message may claim it: its new lease is the message's.
            silent = left.filter(pk=work.pk, fence=work.fence)
            if silent.update(status=Status.PENDING):
                work_enqueue(work)
