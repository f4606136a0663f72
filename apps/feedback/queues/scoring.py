"""Annotations as scores: of the span or the result that was judged, under the annotator's name.

Gold items give none. Of a pair of results the vote is one as blind review casts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.evaluations.models import EvalItem, PairVote
from apps.evaluations.people_ratings import (
    PREFERENCE,
    pair_locked,
    pair_vote_delete,
    pair_vote_of,
    pair_vote_save,
    rating_set,
    ratings_remove,
    side_of,
)
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.form import BAD, FIRST, SECOND, VOTE_KEY, FormField, Kind, read_form, score_of
from apps.traces.models import Span, SpanScore
from apps.traces.scores import HUMAN, span_score_remove, span_score_set

#: What a vote gives the first answer and the second; both are given half by "tie" and "bad".
_WORTH = {FIRST: (1.0, 0.0), SECOND: (0.0, 1.0)}


def scores_write(queue: AnnotationQueue, item: QueueItem, annotation: Annotation) -> None:
    """Write what the annotation says as scores. In the caller's transaction."""
    if item.gold is not None:
        return
    if queue.kind == AnnotationQueue.Kind.PAIR:
        _vote_write(queue, item, annotation)
        return
    form = read_form(queue.form)
    words = _words(form, annotation.values)
    for field in _scored(form):
        value, label = score_of(field, annotation.values.get(field.key))
        if value is None and not label:
            _remove(queue, item, [field.key], annotation.rater)
        else:
            _set(queue, item, field.key, annotation.rater, value, label, words)


def scores_remove(queue: AnnotationQueue, item: QueueItem, annotation: Annotation) -> None:
    """Take the scores of an annotation away that counts no more."""
    if item.gold is not None:
        return
    if queue.kind == AnnotationQueue.Kind.PAIR:
        _vote_remove(queue, item, annotation)
        return
    _remove(queue, item, [field.key for field in _scored(read_form(queue.form))], annotation.rater)


def _scored(form: Sequence[FormField]) -> list[FormField]:
    """In one order whatever the form's is: each is counted in a row that other queues write, too."""
    found = [field for field in form if field.judged and field.kind != Kind.VOTE]
    return sorted(found, key=lambda field: field.key)


def _words(form: Sequence[FormField], values: dict[str, Any]) -> str:
    """The comments, which say why."""
    said = [values[field.key] for field in form if field.kind == Kind.COMMENT and values.get(field.key)]
    return "\n".join(said)


def _set(
    queue: AnnotationQueue,
    item: QueueItem,
    metric: str,
    rater: str,
    value: float | None,
    label: str,
    words: str,
) -> None:
    if item.result_id is not None:
        result = EvalItem.objects.filter(pk=item.result_id).first()
        if result is not None:
            rating_set(result, metric=metric, rater=rater, value=value, label=label, detail=words)
    elif item.span_id is not None:
        span_score_set(
            project_id=queue.project_id,
            span_id=item.span_id,
            metric=metric,
            source=HUMAN,
            rater=rater,
            value=value,
            label=label,
            comment=words,
        )


def _remove(queue: AnnotationQueue, item: QueueItem, metrics: list[str], rater: str) -> None:
    if item.result_id is not None:
        result = EvalItem.objects.filter(pk=item.result_id).first()
        if result is not None:
            ratings_remove(result, metrics=metrics, rater=rater)
    elif item.span_id is not None:
        SpanScore.objects.filter(span=item.span_id, metric__in=metrics, source=HUMAN, rater=rater).delete()


def _vote_write(queue: AnnotationQueue, item: QueueItem, annotation: Annotation) -> None:
    results = _results(item)
    if results is None:
        _span_preferences(queue, item, annotation.rater)
        return
    pair = pair_locked(*results)
    if pair is None:
        return
    low, high = pair
    choice = annotation.values.get(VOTE_KEY)
    vote = pair_vote_of(low, high, annotation.rater)
    chosen = {FIRST: results[0], SECOND: results[1]}.get(choice or "")
    vote.winner = side_of(chosen, low)
    vote.both_bad = choice == BAD
    vote.shown_first = side_of(results[annotation.shown_first], low)
    vote.reason = _words(read_form(queue.form), annotation.values)
    pair_vote_save(vote, low, high)


def _vote_remove(queue: AnnotationQueue, item: QueueItem, annotation: Annotation) -> None:
    results = _results(item)
    if results is None:
        _span_preferences(queue, item, annotation.rater)
        return
    pair = pair_locked(*results)
    if pair is None:
        return
    vote: PairVote = pair_vote_of(*pair, annotation.rater)
    if vote.pk is not None:
        pair_vote_delete(vote, *pair)


def _results(item: QueueItem) -> tuple[EvalItem, EvalItem] | None:
    """Both results of a pair of them, in the item's order; None for a pair of anything else."""
    if item.result_id is None or item.other_result_id is None:
        return None
    found = EvalItem.objects.select_related("run").in_bulk([item.result_id, item.other_result_id])
    return (found[item.result_id], found[item.other_result_id]) if len(found) == 2 else None


def _span_preferences(queue: AnnotationQueue, item: QueueItem, rater: str) -> None:
    """Each span's preference by this voter: the mean over the submitted pairs that it stands in."""
    for span_id in (item.span_id, item.other_span_id):
        if span_id is not None:
            _span_preference(queue, span_id, rater)


def _span_preference(queue: AnnotationQueue, span_id: UUID, rater: str) -> None:
    if not Span.objects.filter(pk=span_id).exists():
        return
    votes = Annotation.objects.filter(
        Q(item__span=span_id) | Q(item__other_span=span_id),
        rater=rater,
        state=Annotation.State.SUBMITTED,
        item__gold__isnull=True,
        queue__kind=AnnotationQueue.Kind.PAIR,
    )
    worth = []
    for first_id, values in votes.values_list("item__span_id", "values"):
        first, second = _WORTH.get(values.get(VOTE_KEY), (0.5, 0.5))
        worth.append(first if first_id == span_id else second)
    own: dict[str, Any] = {"span_id": span_id, "metric": PREFERENCE, "source": HUMAN, "rater": rater}
    if worth:
        span_score_set(project_id=queue.project_id, value=sum(worth) / len(worth), **own)
    else:
        span_score_remove(**own)
