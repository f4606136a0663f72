"""Comments on the rows of a comparison: reading and writing them. They are text, never markup."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput, NotFound, Refused
from apps.evaluations.models import Comparison, EvalItem, RowComment

LONGEST = 5_000


def comment_counts(comparison: Comparison, example_ids: Collection[UUID]) -> dict[UUID, int]:
    """Example id → how many comments it has, for those that have any. One query."""
    counted = RowComment.objects.filter(comparison=comparison, example__in=list(example_ids))
    return dict(counted.values_list("example").annotate(Count("id")))


def comments_by_example(
    comparison: Comparison, example_ids: Collection[UUID]
) -> dict[UUID, list[RowComment]]:
    """Example id → its comments, oldest first, for those that have any. One query."""
    found: dict[UUID, list[RowComment]] = defaultdict(list)
    comments = RowComment.objects.filter(comparison=comparison, example__in=list(example_ids))
    for comment in comments.order_by("id"):
        found[comment.example_id].append(comment)
    return found


def own_comment(*, comparison: Comparison, by: Actor, id: UUID) -> RowComment:
    """A comment that `by` may change. Raises NotFound for those of others, and for one that is gone."""
    comments = RowComment.objects.filter(comparison=comparison, author_kind=by.kind, author_id=by.id)
    found = comments.filter(pk=id).first()
    if found is None:
        raise NotFound("You have no such comment here: it is gone, or it is somebody else's to change.")
    return found


def is_own(comment: RowComment, by: Actor) -> bool:
    return (comment.author_kind, comment.author_id) == (by.kind, by.id)


def comment_add(*, comparison: Comparison, by: Actor, example_id: UUID, text: str) -> RowComment:
    """Say something about an example of the comparison. Raises InvalidInput, NotFound."""
    text = _clean(text)
    runs = [comparison.baseline_id, *comparison.candidate_ids]
    if not EvalItem.objects.filter(run__in=runs, example=example_id).exists():
        raise NotFound("No run of this comparison has such an example.")
    with transaction.atomic():
        comment = RowComment.objects.create(
            comparison=comparison, example_id=example_id, text=text, **RowComment.author_fields(by)
        )
        audit(
            by,
            "row_comment.create",
            comment,
            project=comparison.project,
            after={"comparison": comparison.number, "example": str(example_id), "text": text},
        )
    return comment


def comment_edit(*, comparison: Comparison, by: Actor, comment: RowComment, text: str) -> RowComment:
    """Change one's own comment. Raises InvalidInput, Refused, NotFound where it is gone."""
    text = _clean(text)
    with transaction.atomic():
        comment = _locked(comment)
        _refuse_others(comment, by)
        before, comment.text = comment.text, text
        comment.save(update_fields=["text"])
        audit(
            by,
            "row_comment.update",
            comment,
            project=comparison.project,
            before={"text": before},
            after={"text": text},
        )
    return comment


def comment_delete(*, comparison: Comparison, by: Actor, comment: RowComment) -> None:
    """Take one's own comment back. Raises Refused, and NotFound where it is gone already."""
    with transaction.atomic():
        comment = _locked(comment)
        _refuse_others(comment, by)
        audit(by, "row_comment.delete", comment, project=comparison.project, before={"text": comment.text})
        comment.delete()


def _locked(comment: RowComment) -> RowComment:
    """The comment as it is now: two windows of its author may change it at once."""
    found = RowComment.objects.select_for_update().filter(pk=comment.pk).first()
    if found is None:
        raise NotFound("This comment is gone: it was deleted meanwhile.")
    return found


def _refuse_others(comment: RowComment, by: Actor) -> None:
    if not is_own(comment, by):
        raise Refused(f"This comment is {comment.author_label}'s. Only its author can change it.")


def _clean(text: str) -> str:
    text = text.strip()
    if not text or len(text) > LONGEST or "\x00" in text:
        message = f"Write a comment of 1 to {LONGEST:,} characters."
        raise InvalidInput(message, fields={"text": [message]})
    return text
