"""Importing a file: upload, choose the mapping, stage, publish. It shows only when it is whole."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor, ActorKind
from apps.core.audit import audit
from apps.core.dispatch import enqueue
from apps.core.errors import TooLarge
from apps.core.models import new_id
from apps.core.roles import Role
from apps.datasets.errors import (
    DatasetArchived,
    FileUnreadable,
    ImportFinished,
    LeaseLost,
    MappingInvalid,
    NoGoodRows,
)
from apps.datasets.importers.mapping import Mapping, MappingError, check_mapping, guess_mapping
from apps.datasets.importers.reading import preview
from apps.datasets.importers.rows import Preview, SourceError
from apps.datasets.importers.sniffing import sniff
from apps.datasets.models import Dataset, DatasetImport, StagedExample
from apps.datasets.selectors import forgotten_uploads, imports_to_take_up, left_behind
from apps.datasets.services.import_lease import LEASE_TO_PUBLISH, MOST_CLAIMS, claim, hold, lock_ours
from apps.datasets.services.import_staging import stage_file
from apps.datasets.services.publishing import publish_staged, tidy_search_index, unstage
from apps.datasets.stored_files import local_file, remove_file, store_file

log = logging.getLogger(__name__)

#: Up to here an import is done while its sender waits; above, a worker does it.
LARGEST_IN_REQUEST = 10 * 1024 * 1024
LARGEST_FILE = 4 * 1024**3
_MANY_ROWS = 5_000
_SWEPT_AT_ONCE = 100
RUN_TASK = "worker.datasets.run_import"

Status = DatasetImport.Status


def import_upload(
    *, dataset: Dataset, by: Actor, file: File[bytes], filename: str, idempotency_key: str | None = None
) -> DatasetImport:
    """Keep an uploaded file until its mapping is chosen. Raises TooLarge, DatasetArchived."""
    _refuse_archived(dataset)
    size = file.size or 0
    if size > LARGEST_FILE:
        raise TooLarge(f"The file is larger than {LARGEST_FILE >> 30} GB. Split it and import the parts.")
    import_id = new_id()
    stored_as = store_file(import_id, file)
    try:
        return DatasetImport.objects.create(
            id=import_id,
            project_id=dataset.project_id,
            dataset=dataset,
            filename=_clean_filename(filename),
            stored_as=stored_as,
            size_bytes=size,
            idempotency_key=idempotency_key or None,
            **DatasetImport.author_fields(by),
        )
    except Exception:
        remove_file(stored_as)
        raise


def _clean_filename(filename: str) -> str:
    printable = "".join(char for char in Path(filename or "file").name if char.isprintable())
    return printable.encode("utf-8", "replace").decode()[:200] or "file"


def import_preview(job: DatasetImport, **overrides: Any) -> tuple[Preview, Mapping]:
    """The file's first rows and a proposal for the mapping; `overrides` as for sniff().

    Raises FileUnreadable, with the encodings to offer as extra `encodings`.
    """
    _refuse_finished(job)
    try:
        with local_file(job.stored_as) as path:
            seen = preview(path, sniff(path, filename=job.filename, **overrides))
    except SourceError as error:
        raise file_unreadable(error) from None
    except FileNotFoundError:
        raise FileUnreadable("The uploaded file is no longer there. Upload it again.") from None
    return seen, guess_mapping(seen.columns, seen.rows)


def file_unreadable(error: SourceError) -> FileUnreadable:
    extra = {"encodings": error.encodings} if error.encodings else {}
    return FileUnreadable(error.message, fields={error.field: [error.message]}, **extra)


def import_start(
    *,
    job: DatasetImport,
    by: Actor,
    seen: Preview,
    mapping: Mapping,
    mode: str = DatasetImport.Mode.MERGE,
    note: str = "",
) -> DatasetImport:
    """Begin the import of an uploaded file: at once where it is small, by a worker where it is not.

    Raises MappingInvalid, ImportFinished, DatasetArchived; NoGoodRows and FileUnreadable where it was done
    at once and failed.
    """
    try:
        check_mapping(mapping, seen.columns)
    except MappingError as error:
        raise MappingInvalid(error.message, fields={error.field: [error.message]}) from None
    _refuse_archived(job.dataset)
    small = job.size_bytes <= LARGEST_IN_REQUEST
    with transaction.atomic():
        started = DatasetImport.objects.filter(pk=job.pk, status=Status.UPLOADED).update(
            status=Status.PENDING,
            source=seen.source.as_json(),
            mapping=mapping.as_json(),
            mode=mode,
            note=note.strip(),
            queued_at=timezone.now(),
            **DatasetImport.author_fields(by),
        )
        if not started:
            raise ImportFinished("This file is being imported already, or its import was cancelled.")
        if not small:
            enqueue(RUN_TASK, queue="default", import_id=str(job.pk))
    if small:
        import_run(import_id=job.pk, raising=True)
    job.refresh_from_db()
    return job


def import_refuse(*, job: DatasetImport, reason: str) -> None:
    """End an upload that cannot be imported as it was asked for, and say why in the list of imports."""
    with transaction.atomic():
        locked = DatasetImport.objects.select_for_update(no_key=True).get(pk=job.pk)
        if locked.status != Status.UPLOADED:
            return
        _finish(locked, Status.FAILED, reason)
    _clean_up(locked)


def import_run(*, import_id: UUID, raising: bool = False) -> DatasetImport | None:
    """Do the import, from its beginning, if it waits to be done. Safe to call twice: None for the loser.

    A file that cannot be imported ends the import as failed; with `raising`, that is raised too.
    """
    job = claim(import_id)
    if job is None:
        return None
    try:
        if job.fence > MOST_CLAIMS:
            raise FileUnreadable(f"The import was begun {MOST_CLAIMS} times, and its worker died each time.")
        with local_file(job.stored_as) as path:
            columns = stage_file(job, path)
        _publish(job, columns)
    except LeaseLost:
        log.info("The import %s was cancelled or taken over", import_id)
        return None
    except (SourceError, FileUnreadable, NoGoodRows, DatasetArchived, FileNotFoundError) as error:
        failure = _as_product_error(error)
        _fail(job, failure.detail)
        if raising:
            raise failure from None
    return job


def _as_product_error(error: Exception) -> FileUnreadable | NoGoodRows | DatasetArchived:
    if isinstance(error, SourceError):
        return file_unreadable(error)
    if isinstance(error, FileUnreadable | NoGoodRows | DatasetArchived):
        return error
    return FileUnreadable("The uploaded file is no longer there. Upload it again.")


def _publish(job: DatasetImport, columns: dict[str, Any]) -> None:
    if not job.rows_staged:
        raise _no_good_rows(job)
    hold(job, lease=LEASE_TO_PUBLISH, publishing=True)
    by = _author(job)
    with transaction.atomic():
        dataset = (
            Dataset.objects.select_for_update(no_key=True, of=("self",))
            .select_related("project")
            .get(pk=job.dataset_id)
        )
        locked = lock_ours(job)
        _refuse_archived(dataset)
        _check_whole(job)
        published = publish_staged(
            dataset=dataset,
            by=by,
            batch=job.pk,
            replace=job.mode == DatasetImport.Mode.REPLACE,
            note=job.note or f"Imported {job.filename}",
            columns=columns,
        )
        locked.version = published.version
        locked.rows_unchanged = job.rows_staged - published.added - published.changed
        _finish(locked, Status.COMPLETED)
        after = {"file": job.filename, "added": published.added, "changed": published.changed}
        after |= {"removed": published.removed, "rejected": job.rows_rejected}
        after |= {"version": published.version.number if published.version else None}
        audit(by, "dataset.import", dataset, project=dataset.project, after=after)
    _clean_up(job)
    if published.added + published.changed > _MANY_ROWS:
        tidy_search_index()


def _check_whole(job: DatasetImport) -> None:
    """The staging table is unlogged: a crash of the database empties it."""
    if StagedExample.objects.filter(batch=job.pk, fence=job.fence).count() != job.rows_staged:
        raise LeaseLost(str(job.pk))


def _no_good_rows(job: DatasetImport) -> NoGoodRows:
    rejected = list(job.rejections.order_by("line", "id").values("line", "error")[:100])
    first = f" Line {rejected[0]['line']}: {rejected[0]['error']}" if rejected else ""
    return NoGoodRows(f"None of the {job.rows_read:,} rows could be imported.{first}", rejected=rejected)


def _author(job: DatasetImport) -> Actor:
    kind = cast(ActorKind, job.author_kind)
    return Actor(kind=kind, id=job.author_id, label=job.author_label, role=Role.EDITOR)


def _finish(job: DatasetImport, status: str, error: str = "") -> None:
    job.status, job.error = status, error
    job.finished_at, job.lease_until, job.publishing = timezone.now(), None, False
    if status != Status.COMPLETED:
        job.idempotency_key = None  # only what succeeded is remembered
    job.save()


def _fail(job: DatasetImport, reason: str) -> None:
    with transaction.atomic():
        try:
            _finish(lock_ours(job), Status.FAILED, reason)
        except LeaseLost:
            return
    _clean_up(job)


def _clean_up(job: DatasetImport) -> None:
    unstage(job.pk)
    remove_file(job.stored_as)
    DatasetImport.objects.filter(pk=job.pk).update(stored_as="")


def import_cancel(*, job: DatasetImport, by: Actor) -> DatasetImport:
    """Stop an import; the dataset stays as it was. Raises ImportFinished."""
    with transaction.atomic():
        locked = DatasetImport.objects.select_for_update(no_key=True).get(pk=job.pk)
        if locked.status not in (Status.UPLOADED, Status.PENDING, Status.RUNNING):
            raise ImportFinished(f"The import of {locked.filename} is {locked.status} already.")
        _finish(locked, Status.CANCELLED)
        audit(by, "dataset.import_cancel", locked, project=locked.project)
    _clean_up(locked)
    return locked


def imports_sweep() -> int:
    """Take up imports whose worker died or whose message was lost, finish interrupted clean-ups, and throw
    away forgotten uploads. Returns how many were taken up."""
    waiting = list(imports_to_take_up().values_list("pk", flat=True)[:_SWEPT_AT_ONCE])
    DatasetImport.objects.filter(pk__in=waiting).update(queued_at=timezone.now())
    for import_id in waiting:
        enqueue(RUN_TASK, queue="default", import_id=str(import_id))
    for job in left_behind()[:_SWEPT_AT_ONCE]:
        _clean_up(job)
    for job in forgotten_uploads()[:_SWEPT_AT_ONCE]:
        import_cancel(job=job, by=Actor.system())
    return len(waiting)


def _refuse_archived(dataset: Dataset) -> None:
    if dataset.archived_at is not None:
        raise DatasetArchived(f"The dataset {dataset.name} is archived. Restore it first.")


def _refuse_finished(job: DatasetImport) -> None:
    if job.status != Status.UPLOADED:
        raise ImportFinished(f"The import of {job.filename} is {job.status} already.")
