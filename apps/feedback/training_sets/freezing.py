"""Freezing: the previewed rows become a dataset version, in one transaction. Done by a worker."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.datasets.models import Dataset
from apps.datasets.selectors import dataset_get
from apps.datasets.services import NewExample, dataset_create, dataset_fill
from apps.feedback.models import TrainingRow, TrainingSet
from apps.feedback.training_sets.conversations import assistant
from apps.feedback.training_sets.currency import judgements_changed
from apps.feedback.training_sets.errors import JudgementsChanged
from apps.feedback.training_sets.recipe import SPLITS
from apps.feedback.training_sets.selectors import kept_rows
from apps.feedback.training_sets.services import preview_ask

_ROWS = 2_000
#: All is written in one transaction, which nobody else sees until it is done.
_LEASE = timedelta(minutes=15)
#: A row of one side of a conflict is named after the judgements of both.
_TO_BASE = r"/(up|down|first|second)$"
_NOT_USED = """
DELETE FROM feedback_trainingsource AS source WHERE source.training_set_id = %(set)s AND NOT source.counted
  AND NOT EXISTS (SELECT FROM feedback_trainingrow AS made WHERE made.training_set_id = %(set)s
      AND regexp_replace(made.key, %(side)s, '') = source.example_key)
"""
Status = TrainingSet.Status


def freeze_run(*, set_id: UUID) -> TrainingSet | None:
    """Freeze a set that was asked to be. Safe to call twice: None for the loser. What fails says why, and
    leaves the preview as it was; judgements that were taken back since have it made anew."""
    TrainingSet.objects.filter(pk=set_id, status=Status.FREEZING).update(lease_until=timezone.now() + _LEASE)
    try:
        with transaction.atomic():
            locked = (
                TrainingSet.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("project")
                .filter(pk=set_id, status=Status.FREEZING)
                .first()
            )
            return None if locked is None else _freeze(locked)
    except JudgementsChanged as error:
        return _preview_again(set_id, error.detail)
    except ProductError as error:
        TrainingSet.objects.filter(pk=set_id, status=Status.FREEZING).update(
            status=Status.PREVIEWED, status_reason=error.detail, lease_until=None
        )
        return TrainingSet.objects.get(pk=set_id)


def _preview_again(set_id: UUID, reason: str) -> TrainingSet | None:
    with transaction.atomic():
        waiting = TrainingSet.objects.filter(pk=set_id, status=Status.FREEZING)
        locked = waiting.select_for_update(no_key=True).first()
        if locked is not None:
            preview_ask(locked, reason=reason)
        return locked


def _freeze(training_set: TrainingSet) -> TrainingSet:
    if changed := judgements_changed(training_set):
        were = "judgement was" if changed == 1 else "judgements were"
        raise JudgementsChanged(
            f"{changed:,} {were} taken back or changed after the preview, so it was made anew instead of "
            "frozen. Look at it, and freeze it again."
        )
    asked = training_set.target
    by = Actor(
        kind=asked["by"]["kind"],
        id=asked["by"]["id"],
        label=asked["by"]["label"],
        role=Role.EDITOR,
        address=asked["by"]["address"],
    )
    dataset = _dataset(training_set, by)
    version = dataset_fill(
        dataset=dataset,
        by=by,
        examples=_examples(training_set),
        note=asked.get("note") or f"Training set {training_set.number}: {training_set.name}",
        columns=_columns(training_set),
    )
    assert version is not None  # there are rows
    kept_rows(training_set).delete()
    with connection.cursor() as cursor:
        cursor.execute(_NOT_USED, {"set": training_set.pk, "side": _TO_BASE})
    training_set.status, training_set.dataset_version = Status.COMPLETED, version
    training_set.finished_at, training_set.lease_until = timezone.now(), None
    training_set.save()
    after = {"dataset": dataset.slug, "version": version.number, "rows": version.example_count}
    audit(by, "training_set.freeze", training_set, project=training_set.project, after=after)
    return training_set


def _dataset(training_set: TrainingSet, by: Actor) -> Dataset:
    asked, project = training_set.target, training_set.project
    if asked.get("dataset"):
        return dataset_get(project=project, slug=asked["dataset"])
    method = TrainingSet.Method(training_set.method).label
    return dataset_create(
        project=project,
        by=by,
        name=asked.get("name") or _free_name(training_set),
        description=f"Rows for {method} training, made from people's judgements.",
    )


def _free_name(training_set: TrainingSet) -> str:
    """The set's name, with its number where some dataset has that name."""
    taken = Dataset.objects.filter(project=training_set.project, name__iexact=training_set.name).exists()
    return f"{training_set.name[:100]} (set {training_set.number})" if taken else training_set.name


def _examples(training_set: TrainingSet) -> Iterator[NewExample]:
    for row in kept_rows(training_set).order_by("id").iterator(chunk_size=_ROWS):
        yield NewExample(
            key=row.key,
            inputs={"prompt": row.prompt},
            reference=reference_of(training_set.method, row),
            metadata={"made_from": row.made_from, **row.origin},
            split=row.split,
        )


def reference_of(method: str, row: TrainingRow) -> dict[str, Any]:
    """What is learned from a row, in the columns of its method."""
    if method == TrainingSet.Method.DPO:
        return {"chosen": assistant(row.answer), "rejected": assistant(row.rejected)}
    completion: dict[str, Any] = {"completion": assistant(row.answer)}
    return completion | ({"label": bool(row.label)} if method == TrainingSet.Method.KTO else {})


def _columns(training_set: TrainingSet) -> dict[str, Any]:
    found = training_set.figures.get("splits", {})
    return {
        "inputs": ["prompt"],
        "reference": "",
        "metadata": ["made_from", "prompt", "version", "model"],
        "splits": [name for name in SPLITS if found.get(name)],
    }
