"""Edits gather in a dataset's draft and are published as one version."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.datasets.drafting import find_conflicts, state_token
from apps.datasets.errors import (
    DatasetArchived,
    DraftConflict,
    DraftEmpty,
    ExampleExists,
    ExampleNotFound,
    StaleEdit,
)
from apps.datasets.importers.mapping import MAX_KEY, MAX_SPLIT, MappedRow, mapped_row
from apps.datasets.importers.values import BadValue, check_size, check_text
from apps.datasets.models import Dataset, DatasetDraft, DatasetVersion, DraftChange, Example
from apps.datasets.selectors import draft_changes, example_current
from apps.datasets.services.publishing import publish_staged, stage_removals, stage_rows, unstage

UPSERT, DELETE = DraftChange.Action.UPSERT, DraftChange.Action.DELETE
MOST_CHANGES = 10_000


def draft_example_save(
    *,
    dataset: Dataset,
    by: Actor,
    inputs: dict[str, Any],
    reference: Any = None,
    metadata: dict[str, Any] | None = None,
    split: str = "",
    key: str = "",
    seen: str | None = None,
    must_be_new: bool = False,
) -> DraftChange:
    """Put a new or changed example into the draft. Without a key, it is named by its inputs.

    `seen` is the state_token() the editor started from. Raises StaleEdit where it is no longer the state,
    ExampleExists with `must_be_new`, InvalidInput for values that cannot be kept, DatasetArchived.
    """
    row = _checked_row(inputs, reference, metadata or {}, split.strip(), key.strip())
    with transaction.atomic():
        draft = _locked_draft(dataset)
        current = example_current(dataset, row.key)
        change = draft.changes.filter(key=row.key).first()
        there = current if change is None else (change if change.action == UPSERT else None)
        if must_be_new and there is not None:
            message = (
                f"There is an example with the key {row.key!r} already. Edit that one, or give another key."
            )
            if not key:
                message = (
                    "There is an example with these inputs already. Edit that one, or give this one a key."
                )
            raise ExampleExists(message, fields={"key": [message]})
        _refuse_stale(seen, current, change)
        if change is None:
            _refuse_too_many(draft)
            change = DraftChange(draft=draft, key=row.key, base=current, revision=0)
        change.action = UPSERT
        change.inputs, change.reference = inputs, reference
        change.metadata, change.split = metadata or {}, split.strip()
        _save_change(change, by)
    return change


def draft_example_delete(
    *, dataset: Dataset, by: Actor, key: str, seen: str | None = None
) -> DraftChange | None:
    """Mark an example as deleted in the draft; one that is only in the draft leaves it (None).

    Raises ExampleNotFound, StaleEdit, DatasetArchived.
    """
    with transaction.atomic():
        draft = _locked_draft(dataset)
        current = example_current(dataset, key)
        change = draft.changes.filter(key=key).first()
        if (current is None and change is None) or (change is not None and change.action == DELETE):
            raise ExampleNotFound(f"There is no example with the key {key!r} in {dataset.name}.")
        _refuse_stale(seen, current, change)
        if current is None and change is not None:
            change.delete()
            return None
        if change is None:
            _refuse_too_many(draft)
            change = DraftChange(draft=draft, key=key, base=current, revision=0)
        change.action = DELETE
        change.inputs, change.reference, change.metadata, change.split = {}, None, {}, ""
        _save_change(change, by)
    return change


def draft_change_discard(*, dataset: Dataset, by: Actor, key: str) -> None:
    """Take one pending edit back. Raises ExampleNotFound."""
    with transaction.atomic():
        deleted, _ = _locked_draft(dataset).changes.filter(key=key).delete()
        if not deleted:
            raise ExampleNotFound(f"The draft of {dataset.name} has no change of {key!r}.")
        audit(by, "dataset_draft.discard", dataset, project=dataset.project, before={"key": key})


def draft_discard(*, dataset: Dataset, by: Actor) -> int:
    """Take all pending edits back; returns how many."""
    with transaction.atomic():
        deleted, _ = _locked_draft(dataset).changes.all().delete()
        audit(by, "dataset_draft.discard", dataset, project=dataset.project, before={"changes": deleted})
    return deleted


def draft_change_keep(*, dataset: Dataset, by: Actor, key: str, over: str) -> DraftChange:
    """Settle a conflict for the draft: its change goes over the newer state, whose id is `over` ("" where
    the example was removed). Raises StaleEdit where that is no longer the newest."""
    with transaction.atomic():
        change = _locked_draft(dataset).changes.filter(key=key).first()
        if change is None:
            raise ExampleNotFound(f"The draft of {dataset.name} has no change of {key!r}.")
        current = example_current(dataset, key)
        if over != (str(current.pk) if current else ""):
            raise StaleEdit("The example changed once more meanwhile. Look at its newest state, then decide.")
        change.base = current
        _save_change(change, by)
    return change


def draft_publish(*, dataset: Dataset, by: Actor, note: str = "") -> DatasetVersion | None:
    """Make all pending edits the next version; None where they change nothing.

    Raises DraftEmpty, and DraftConflict where examples were changed by somebody else since they were
    edited; then nothing is published, and the draft stays.
    """
    with transaction.atomic():
        draft = _locked_draft(dataset)
        changes = list(draft_changes(dataset))
        if not changes:
            raise DraftEmpty(f"The draft of {dataset.name} has no changes.")
        conflicts = find_conflicts(dataset, changes)
        if conflicts:
            raise DraftConflict(
                f"{len(conflicts)} of {len(changes)} edited examples were changed by somebody else since. "
                "Nothing was published. Look at each in the draft, and keep yours or theirs.",
                keys=[conflict.change.key for conflict in conflicts][:100],
            )
        rows = [
            _row_of(line, change) for line, change in enumerate(changes, start=1) if change.action == UPSERT
        ]
        stage_rows(draft.pk, 0, rows)
        stage_removals(
            draft.pk, [(line, c.key) for line, c in enumerate(changes, start=1) if c.action == DELETE]
        )
        published = publish_staged(
            dataset=dataset,
            by=by,
            batch=draft.pk,
            replace=False,
            note=note.strip(),
            columns=_columns_of(changes),
        )
        unstage(draft.pk)
        draft.changes.all().delete()
        if published.version:
            audit(
                by,
                "dataset_version.create",
                published.version,
                project=dataset.project,
                after={"number": published.version.number, "changes": len(changes), "note": note.strip()},
            )
    return published.version


def _locked_draft(dataset: Dataset) -> DatasetDraft:
    """The draft, made if need be, under the dataset's row lock: one writer at a time."""
    locked = Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)
    if locked.archived_at is not None:
        raise DatasetArchived(f"The dataset {locked.name} is archived. Restore it first.")
    draft, _ = DatasetDraft.objects.get_or_create(dataset=locked)
    return draft


def _refuse_stale(seen: str | None, current: Example | None, change: DraftChange | None) -> None:
    if seen is not None and seen != state_token(current, change):
        who = change.author_label if change else "An import or a publication"
        raise StaleEdit(
            f"{who} changed this example while you were editing it. Your text is still here: "
            "compare it with the newest state below, then save again."
        )


def _refuse_too_many(draft: DatasetDraft) -> None:
    if draft.changes.count() >= MOST_CHANGES:
        raise InvalidInput(f"The draft holds {MOST_CHANGES:,} changes. Publish it first, or import a file.")


def _save_change(change: DraftChange, by: Actor) -> None:
    change.revision += 1
    change.author_kind, change.author_id, change.author_label = by.kind, by.id, by.label
    change.save()


def _checked_row(
    inputs: dict[str, Any], reference: Any, metadata: dict[str, Any], split: str, key: str
) -> MappedRow:
    for name, text, longest in (("key", key, MAX_KEY), ("split", split, MAX_SPLIT)):
        if len(text) > longest:
            message = f"Use at most {longest} characters."
            raise InvalidInput(f"The {name} is too long. {message}", fields={name: [message]})
    if not inputs:
        raise InvalidInput(
            "An example needs at least one input.", fields={"inputs": ["Give at least one input."]}
        )
    try:
        check_text(key)
        check_text(split)
        for value in (inputs, reference, metadata):
            check_size(value)
        return mapped_row(0, inputs, reference, metadata, split, key)
    except BadValue as error:
        raise InvalidInput(f"A value {error}.") from None


def _row_of(line: int, change: DraftChange) -> MappedRow:
    return mapped_row(line, change.inputs, change.reference, change.metadata, change.split, change.key)


def _columns_of(changes: list[DraftChange]) -> dict[str, Any]:
    upserts = [change for change in changes if change.action == UPSERT]
    return {
        "inputs": list(dict.fromkeys(name for change in upserts for name in change.inputs)),
        "metadata": list(dict.fromkeys(name for change in upserts for name in change.metadata)),
        "splits": list(dict.fromkeys(change.split for change in upserts if change.split)),
        "reference": "",
    }
