"""Erasing a person: their judgements go, and what was trained on them stays known."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.dispatch import enqueue
from apps.core.models import Project
from apps.evaluations.rater_scores import ratings_changed
from apps.feedback.erasing.people import Person
from apps.feedback.erasing.selectors import (
    Judgements,
    annotations_of,
    calls_of,
    feedback_of,
    item_scores_of,
    judgements_of,
    span_scores_of,
    traces_of,
    votes_of,
)
from apps.feedback.models import Annotation, QueuePlace, TrainingRow, TrainingSet, TrainingSource
from apps.feedback.queues.leases import places_recount, queue_locked
from apps.feedback.queues.settling import uncounted
from apps.feedback.training_sets.selectors import base_name
from apps.feedback.training_sets.services import preview_ask

ERASE_TASK = "worker.feedback.erase_annotator"
#: Annotations that are taken back while somebody waits; a worker does more.
MOST_AT_ONCE = 500
_IN_ONE = 200
_KEYS = 1_000


def person_erase(*, project: Project, by: Actor, person: Person) -> Judgements:
    """Take away all that the person said, and forget who they are. Returns what went.

    Feedback, annotations, votes and their scores are deleted; traces and calls lose the user's name and keep
    their texts. Lineage keeps that there was somebody. Previews that are not frozen are made again without
    them; frozen sets stay as they are, and say so. A worker takes back more than 500 annotations. Safe to
    repeat. The audit log keeps counts only.
    """
    found = judgements_of(project, person)
    if found.counts["annotations"] > MOST_AT_ONCE:
        enqueue(
            ERASE_TASK,
            queue="default",
            project_id=str(project.pk),
            rater=person.name,
            by={"kind": by.kind, "id": by.id, "label": by.label, "address": by.address},
        )
        return found
    with transaction.atomic():
        _take_back(project, person)
        _forget(project, person)
        _tell(project, by, person, found)
    return found


def annotator_erase_run(*, project: Project, by: Actor, person: Person) -> None:
    """The same for an annotator with much work: some at a time, then the rest in one step."""
    found = judgements_of(project, person)
    while annotations_of(project, person).exists():
        with transaction.atomic():
            _take_back(project, person, most=_IN_ONE)
    with transaction.atomic():
        _forget(project, person)
        _tell(project, by, person, found)


def _take_back(project: Project, person: Person, *, most: int | None = None) -> None:
    """Delete annotations; their places come free again, so that the queue asks somebody else."""
    rows = annotations_of(project, person).order_by("queue_id", "id").values_list("queue_id", "id")
    by_queue: dict[Any, list[Any]] = {}
    for queue_id, annotation_id in rows[:most] if most else rows:
        by_queue.setdefault(queue_id, []).append(annotation_id)
    for queue_id, ids in by_queue.items():
        first = Annotation.objects.select_related("queue").get(pk=ids[0])
        queue = queue_locked(queue_id, first.queue.adjudicates_id)
        for annotation in Annotation.objects.filter(pk__in=ids).select_related("item"):
            item, was_counted = annotation.item, annotation.state == Annotation.State.SUBMITTED
            Annotation.objects.filter(pk=annotation.pk).delete()
            places_recount(queue, item)
            if was_counted and item.gold is None:
                uncounted(queue, item, annotation)


def _forget(project: Project, person: Person) -> None:
    runs = set(item_scores_of(project, person).values_list("item__run", flat=True).distinct())
    runs |= set(votes_of(project, person).values_list("item__run", flat=True).distinct())
    item_scores_of(project, person).delete()
    votes_of(project, person).delete()
    span_scores_of(project, person).delete()
    feedback_of(project, person).delete()
    traces_of(project, person).update(user="")
    calls_of(project, person).update(end_user="")
    QueuePlace.objects.filter(queue__project=project, rater=person.name).delete()
    _forget_in_sets(project, person)
    ratings_changed(runs)


def _forget_in_sets(project: Project, person: Person) -> None:
    """Previews are made again; of frozen sets the rows that were left out go, and lineage keeps no name."""
    theirs = TrainingSource.objects.filter(training_set__project=project, person=person.name)
    set_ids = set(theirs.values_list("training_set", flat=True).distinct())
    for training_set in TrainingSet.objects.select_for_update(no_key=True, of=("self",)).filter(
        pk__in=set_ids
    ):
        mine = theirs.filter(training_set=training_set)
        if training_set.status == TrainingSet.Status.COMPLETED:
            _delete_rows(training_set, mine.values_list("example_key", flat=True))
            mine.update(person=TrainingSource.ERASED)
        else:
            TrainingRow.objects.filter(training_set=training_set).delete()
            TrainingSource.objects.filter(training_set=training_set).delete()
            training_set.figures = {}
            preview_ask(training_set)


def _delete_rows(training_set: TrainingSet, keys: Any) -> None:
    names = sorted({base_name(key) for key in keys})
    for start in range(0, len(names), _KEYS):
        part = names[start : start + _KEYS]
        TrainingRow.objects.filter(training_set=training_set, key__in=part).delete()


def _tell(project: Project, by: Actor, person: Person, found: Judgements) -> None:
    """Counts, and no name: the audit log outlives what is erased."""
    after = {
        "kind": person.kind,
        **{name: count for name, count in found.counts.items() if count},
        "training_sets": [each.number for each in found.training_sets],
    }
    audit(by, "person.erase", project, project=project, after=after)
