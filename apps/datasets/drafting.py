"""What a draft amounts to: the state an editor saw, and the conflicts with what came since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.datasets.errors import ExampleNotFound
from apps.datasets.importers.mapping import mapped_row
from apps.datasets.models import Dataset, DraftChange, Example
from apps.datasets.selectors import draft_change_get, example_current

_KEYS_AT_A_TIME = 1_000


@dataclass(frozen=True)
class DraftConflictRow:
    """An edit, and the newer state it would overwrite; `current` is None where the example was removed."""

    change: DraftChange
    current: Example | None


@dataclass(frozen=True)
class PendingChange:
    """One line of the draft's page."""

    change: DraftChange
    kind: str  # added, changed, deleted
    conflict: DraftConflictRow | None


def state_token(current: Example | None, change: DraftChange | None) -> str:
    """What an editor has before them: the published row and the draft's revision of it."""
    return f"{current.pk if current else ''}:{f'{change.pk}.{change.revision}' if change else ''}"


def content_hash_of(change: DraftChange) -> str:
    return mapped_row(
        0, change.inputs, change.reference, change.metadata, change.split, change.key
    ).content_hash


def find_conflicts(dataset: Dataset, changes: list[DraftChange]) -> list[DraftConflictRow]:
    """Edits whose example was changed or removed by somebody else since, unless both came to the same."""
    current = current_by_key(dataset, [change.key for change in changes])
    return [
        DraftConflictRow(change, current.get(change.key))
        for change in changes
        if _conflicts(change, current.get(change.key))
    ]


def _conflicts(change: DraftChange, current: Example | None) -> bool:
    if change.base_id == (current.pk if current else None):
        return False
    if change.action == DraftChange.Action.DELETE:
        return current is not None
    return current is None or current.content_hash != content_hash_of(change)


def current_by_key(dataset: Dataset, keys: list[str]) -> dict[str, Example]:
    """The newest published rows of these keys."""
    found: dict[str, Example] = {}
    for start in range(0, len(keys), _KEYS_AT_A_TIME):
        rows = Example.objects.filter(
            dataset=dataset, valid_to__isnull=True, key__in=keys[start : start + _KEYS_AT_A_TIME]
        ).defer("search")
        found.update((row.key, row) for row in rows)
    return found


def pending_changes(dataset: Dataset, changes: list[DraftChange]) -> list[PendingChange]:
    """The draft's page: each change with its kind and its conflict, if any."""
    conflicts = {conflict.change.pk: conflict for conflict in find_conflicts(dataset, changes)}
    return [PendingChange(change, _kind(change), conflicts.get(change.pk)) for change in changes]


def _kind(change: DraftChange) -> str:
    if change.action == DraftChange.Action.DELETE:
        return "deleted"
    return "changed" if change.base_id else "added"


@dataclass(frozen=True)
class ExampleState:
    """An example as it will be once the draft is published; `draft` is none, upsert or delete."""

    key: str
    inputs: dict[str, Any]
    reference: Any
    metadata: dict[str, Any]
    split: str
    draft: str
    revision: str
    current: Example | None
    change: DraftChange | None


def example_state(dataset: Dataset, key: str) -> ExampleState:
    """Raises ExampleNotFound for a key that neither the newest version nor the draft knows."""
    if "\x00" in key:
        raise ExampleNotFound(f"There is no such example in {dataset.name}.")
    current, change = example_current(dataset, key), draft_change_get(dataset=dataset, key=key)
    shown = change if change is not None and change.action == DraftChange.Action.UPSERT else current
    if shown is None:
        raise ExampleNotFound(f"There is no example with the key {key!r} in {dataset.name}.")
    return ExampleState(
        key=key,
        inputs=shown.inputs,
        reference=shown.reference,
        metadata=shown.metadata,
        split=shown.split,
        draft=change.action if change else "none",
        revision=state_token(current, change),
        current=current,
        change=change,
    )
