"""Items of a queue on which annotators said different things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from apps.evaluations.raters import rater_names
from apps.feedback.agreement.words import answer_in_words
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.form import FormField, disagreements
from apps.feedback.queues.selectors import title_of

Status = QueueItem.Status


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An item, and by field who said what; `settled` is what the adjudicator said."""

    item: QueueItem
    title: str
    fields: list[tuple[str, list[tuple[str, str]]]]
    settled: list[tuple[str, str]]


def disputed_items(queue: AnnotationQueue, *, settled: bool = False) -> QuerySet[QueueItem]:
    """Items that wait for an adjudicator, or that one has settled."""
    return queue.items.filter(status=Status.SETTLED if settled else Status.DISPUTED)


def disagreement_rows(items: Sequence[QueueItem], form: Sequence[FormField]) -> list[Disagreement]:
    """The items with their answers; five queries at most, however many items."""
    submitted = Annotation.objects.filter(state=Annotation.State.SUBMITTED).order_by("rater")
    given: dict[Any, list[tuple[str, dict[str, Any]]]] = {item.pk: [] for item in items}
    for item_id, rater, values in submitted.filter(item__in=items).values_list("item_id", "rater", "values"):
        given[item_id].append((rater, values))
    settled: dict[Any, dict[str, Any]] = dict(
        submitted.filter(item__disputed__in=[item for item in items if item.status == Status.SETTLED])
        .order_by("submitted_at")
        .values_list("item__disputed_id", "values")
    )
    names = rater_names({rater for answers in given.values() for rater, _ in answers})
    return [
        Disagreement(
            item,
            title_of(item.content),
            _apart(form, [(names[rater], values) for rater, values in given[item.pk]]),
            _settled(form, settled.get(item.pk, {})),
        )
        for item in items
    ]


def _apart(
    form: Sequence[FormField], given: Sequence[tuple[str, dict[str, Any]]]
) -> list[tuple[str, list[tuple[str, str]]]]:
    keys = disagreements(form, [values for _, values in given])
    return [
        (one.label, [(name, answer_in_words(values[one.key])) for name, values in given if one.key in values])
        for one in form
        if one.key in keys
    ]


def _settled(form: Sequence[FormField], values: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (one.label, answer_in_words(values[one.key]))
        for one in form
        if one.judged and values.get(one.key) is not None
    ]
