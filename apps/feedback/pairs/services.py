"""Importing a file of pairs: keep it, choose its columns, read it into a queue. Safe to be taken up again."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.core.files.base import File
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.core.actor import Actor, ActorKind
from apps.core.audit import audit
from apps.core.dispatch import enqueue
from apps.core.errors import Conflict, InvalidInput, TooLarge
from apps.core.models import Project, new_id
from apps.core.roles import Role
from apps.core.slugs import unique_slug
from apps.datasets.importers.rows import SourceError
from apps.datasets.stored_files import local_file, remove_file, store_file
from apps.feedback.models import AnnotationQueue, PairImport, PairRejection
from apps.feedback.pairs.mapping import PairMapping, check_mapping, guess_mapping
from apps.feedback.pairs.reading import PairFile
from apps.feedback.pairs.writing import Batch, batch_write, batches_of
from apps.feedback.queues.form import VOTE_KEY

log = logging.getLogger(__name__)

Status = PairImport.Status
#: Up to here an import is done while its sender waits; above, a worker does it.
LARGEST_IN_REQUEST = 2 << 20
LARGEST_FILE = 512 << 20
MOST_ITEMS = 500_000
MOST_PER_ITEM = 5
#: More are counted, not kept.
MOST_REJECTIONS = 10_000
LEASE = timedelta(seconds=60)
#: An upload whose columns nobody chooses is let go of.
FORGOTTEN = timedelta(days=1)
MOST_CLAIMS = 5
RUN_TASK = "worker.feedback.import_pairs"
_SWEPT_AT_ONCE = 50
_FORM = [{"key": VOTE_KEY, "label": "Which answer is better?", "kind": "vote", "required": True}]


class _Lost(Exception):
    """Somebody else has taken the import up, or it is over."""


def pair_import_upload(
    *,
    project: Project,
    by: Actor,
    file: File[bytes],
    filename: str,
    name: str = "",
    queue: AnnotationQueue | None = None,
    further: int = 0,
) -> tuple[PairImport, list[str], PairMapping | None]:
    """Keep a file; with its columns, and what they look like (None where nobody can tell).

    It goes into `queue`, or a new one called `name`. Raises TooLarge, InvalidInput.
    """
    if (file.size or 0) > LARGEST_FILE:
        raise TooLarge(f"The file is larger than {LARGEST_FILE >> 20} MB. Split it and import the parts.")
    if queue is not None and (queue.kind != AnnotationQueue.Kind.PAIR or queue.archived_at):
        raise InvalidInput(
            "Pairs go into a queue of pairs that is in use.", fields={"queue": ["Not this one."]}
        )
    filename = "".join(char for char in Path(filename or "file").name if char.isprintable())[:200] or "file"
    import_id = new_id()
    stored_as = store_file(import_id, file)
    try:
        columns = _columns(stored_as, filename)
        job = PairImport.objects.create(
            id=import_id,
            project=project,
            queue=queue,
            name=name.strip()[:120] or Path(filename).stem[:120],
            filename=filename,
            stored_as=stored_as,
            size_bytes=file.size or 0,
            further=further,
            **PairImport.author_fields(by),
        )
    except Exception:
        remove_file(stored_as)
        raise
    return job, columns, guess_mapping(columns)


def pair_import_columns(job: PairImport) -> list[str]:
    """The file's columns. Raises InvalidInput, Conflict."""
    if job.status != Status.UPLOADED:
        raise Conflict(f"The import of {job.filename} is {job.status} already.")
    return _columns(job.stored_as, job.filename)


def _columns(stored_as: str, filename: str) -> list[str]:
    try:
        with local_file(stored_as) as path:
            return PairFile(path, filename).columns()
    except SourceError as error:
        raise InvalidInput(error.message, fields={"file": [error.message]}) from None
    except FileNotFoundError:
        raise InvalidInput("The uploaded file is no longer there. Upload it again.") from None


def pair_import_start(*, job: PairImport, by: Actor, mapping: PairMapping) -> PairImport:
    """Read the file into its queue: at once where it is small, by a worker where it is not.

    Raises InvalidInput, Conflict.
    """
    check_mapping(mapping, pair_import_columns(job))
    if not mapping.raters and not job.further:
        text = "No column has votes: say how many annotators each pair is to have."
        raise InvalidInput(text, fields={"further": [text], "votes": [text]})
    small = job.size_bytes <= LARGEST_IN_REQUEST
    with transaction.atomic():
        started = PairImport.objects.filter(pk=job.pk, status=Status.UPLOADED).update(
            status=Status.PENDING, mapping=mapping.as_json(), **PairImport.author_fields(by)
        )
        if not started:
            raise Conflict(f"The import of {job.filename} has begun already.")
        job.refresh_from_db()
        job.queue = job.queue or _new_queue(job, by, mapping)
        job.save(update_fields=["queue"])
        if not small:
            enqueue(RUN_TASK, queue="default", import_id=str(job.pk))
    if small:
        pair_import_run(import_id=job.pk)
    job.refresh_from_db()
    return job


def _new_queue(job: PairImport, by: Actor, mapping: PairMapping) -> AnnotationQueue:
    taken = AnnotationQueue.objects.filter(project_id=job.project_id)
    wanted = max(1, min(MOST_PER_ITEM, mapping.raters + job.further))
    queue = AnnotationQueue.objects.create(
        project_id=job.project_id,
        slug=unique_slug(taken, job.name),
        name=job.name,
        kind=AnnotationQueue.Kind.PAIR,
        form=_FORM,
        annotators_per_item=wanted,
        **AnnotationQueue.author_fields(by),
    )
    audit(by, "queue.create", queue, project=job.project, after={"name": queue.name, "from": job.filename})
    return queue


def pair_import_run(*, import_id: UUID) -> None:
    """Read on from where the import stands, if it waits to be read. Safe to call twice."""
    job = _claim(import_id)
    if job is None:
        return
    try:
        if job.fence > MOST_CLAIMS:
            raise SourceError(f"The import was begun {MOST_CLAIMS} times, and its worker died each time.")
        with local_file(job.stored_as) as path:
            _read(job, path)
    except _Lost:
        log.info("The import %s was taken over", import_id)
    except FileNotFoundError:
        _finish(job, Status.FAILED, "The uploaded file is no longer there. Upload it again.")
    except SourceError as error:
        _finish(job, Status.FAILED, error.message)
    else:
        nothing = "" if job.items_added or job.items_known else _nothing_read(job)
        _finish(job, Status.FAILED if nothing else Status.COMPLETED, nothing)


def _claim(import_id: UUID) -> PairImport | None:
    now = timezone.now()
    free = Q(status=Status.PENDING) | Q(status=Status.RUNNING, lease_until__lt=now)
    claimed = PairImport.objects.filter(free, pk=import_id).update(
        status=Status.RUNNING, fence=F("fence") + 1, lease_until=now + LEASE, started_at=now
    )
    if not claimed:
        return None
    return PairImport.objects.select_related("queue", "project").get(pk=import_id)


def _read(job: PairImport, path: Path) -> None:
    mapping = PairMapping.read(job.mapping)
    for batch in batches_of(PairFile(path, job.filename).rows(), mapping, behind=job.line):
        _keep(job, batch)
        if job.items_added + job.items_known >= MOST_ITEMS:
            raise SourceError(f"A queue takes {MOST_ITEMS:,} pairs of a file; the first of them are in it.")


def _keep(job: PairImport, batch: Batch) -> None:
    """Write a batch with the progress that it is, so that it is never written twice."""
    with transaction.atomic():
        queue = AnnotationQueue.objects.select_for_update(no_key=True).get(pk=cast(UUID, job.queue_id))
        ours = PairImport.objects.select_for_update(no_key=True).filter(
            pk=job.pk, fence=job.fence, status=Status.RUNNING
        )
        if not ours.exists():
            raise _Lost
        written = batch_write(queue, batch, further=job.further, begun=job.created_at.timestamp())
        kept = max(0, MOST_REJECTIONS - job.rows_rejected)
        PairRejection.objects.bulk_create(
            PairRejection(job=job, line=line, error=_clean(why)) for line, why in islice(batch.rejected, kept)
        )
        job.line, job.bytes_read = batch.line, min(batch.offset, job.size_bytes)
        job.rows_read += batch.read
        job.rows_rejected += len(batch.rejected)
        job.items_added += written.items
        job.items_known += written.known
        job.votes_added += written.votes
        job.lease_until = timezone.now() + LEASE
        job.save()


def _clean(why: str) -> str:
    text = why.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= 500 else text[:499] + "…"


def _nothing_read(job: PairImport) -> str:
    first = job.rejections.order_by("line", "id").first()
    told = f" Line {first.line:,}: {first.error}" if first else ""
    return f"None of the {job.rows_read:,} rows is a pair.{told}"


def _finish(job: PairImport, status: str, error: str = "") -> None:
    by = Actor(
        kind=cast(ActorKind, job.author_kind), id=job.author_id, label=job.author_label, role=Role.EDITOR
    )
    with transaction.atomic():
        done = PairImport.objects.filter(pk=job.pk, fence=job.fence, status=Status.RUNNING).update(
            status=status, error=error, finished_at=timezone.now(), lease_until=None, stored_as=""
        )
        if not done:
            return
        told: dict[str, Any] = {"file": job.filename, "status": str(status), "items": job.items_added}
        told |= {"votes": job.votes_added, "rejected": job.rows_rejected}
        audit(by, "pairs.import", cast(AnnotationQueue, job.queue), project=job.project, after=told)
    remove_file(job.stored_as)


def pair_import_refuse(*, job: PairImport, reason: str) -> None:
    """End an upload that cannot be imported as it was asked for; its file goes."""
    refused = PairImport.objects.filter(pk=job.pk, status=Status.UPLOADED).update(
        status=Status.FAILED, error=reason, finished_at=timezone.now(), stored_as=""
    )
    if refused:
        remove_file(job.stored_as)


def pair_imports_sweep() -> int:
    """Take up imports whose worker died or whose message was lost, and let go of forgotten uploads; returns
    how many were taken up.

    One that waits without a lease is asked for each time: a second message finds it claimed.
    """
    now = timezone.now()
    forgotten = PairImport.objects.filter(status=Status.UPLOADED, created_at__lt=now - FORGOTTEN)
    for job in forgotten.order_by("id")[:_SWEPT_AT_ONCE]:
        pair_import_refuse(job=job, reason="Nobody chose its columns within a day.")
    late = Q(status=Status.RUNNING, lease_until__lt=now) | Q(status=Status.PENDING, lease_until=None)
    waiting = list(PairImport.objects.filter(late).values_list("pk", flat=True)[:_SWEPT_AT_ONCE])
    for import_id in waiting:
        enqueue(RUN_TASK, queue="default", import_id=str(import_id))
    return len(waiting)
