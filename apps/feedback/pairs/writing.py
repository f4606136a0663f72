"""Writing pairs into a queue, batch by batch: items that are new, and votes that nobody gave yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.datasets.importers.rows import Blank, Rejection, Row
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.pairs.mapping import PairMapping
from apps.feedback.pairs.rows import BadPair, Pair, read_pair
from apps.feedback.queues.form import VOTE_KEY, disagreements, read_form
from apps.feedback.queues.settling import send_to_adjudication

BATCH_ROWS = 500
_BATCH_CHARS = 4_000_000
#: Between two lines in the queue's order: enough to be told apart beside a time in seconds.
_STEP = 1e-5


@dataclass(slots=True)
class Batch:
    """What was read since the last one: pairs by line, and what is none."""

    pairs: list[tuple[int, Pair]] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    read: int = 0
    line: int = 0
    offset: int = 0
    chars: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """How many items are new, how many were there already, and how many votes are new."""

    items: int
    known: int
    votes: int


def batches_of(
    rows: Iterable[Row | Rejection | Blank], mapping: PairMapping, *, behind: int = 0
) -> Iterator[Batch]:
    """The rows behind line `behind`, in batches."""
    batch = Batch()
    for row in rows:
        if row.line <= behind:
            continue
        batch.line, batch.offset = row.line, row.offset
        if isinstance(row, Blank):
            continue
        batch.read += 1
        try:
            if isinstance(row, Rejection):
                raise BadPair(row.error)
            pair = read_pair(row.values, mapping)
        except BadPair as bad:
            batch.rejected.append((row.line, str(bad)))
        else:
            batch.pairs.append((row.line, pair))
            batch.chars += sum(len(answer["text"]) for answer in pair.content["answers"])
        if batch.read >= BATCH_ROWS or batch.chars > _BATCH_CHARS:
            yield batch
            batch = Batch()
    if batch.read:
        yield batch


def batch_write(queue: AnnotationQueue, batch: Batch, *, further: int, begun: float) -> Written:
    """Add what is new, inside the caller's transaction, which holds the queue's lock. `begun` (seconds) is
    when the import was: its items come in the file's order, behind those that were there before.

    A pair that is in the queue stays as it is and takes the votes of raters who have none on it yet. Of two
    rows with the same pair the votes of both count, each rater's first.
    """
    pairs: dict[str, tuple[int, Pair]] = {}
    for line, pair in batch.pairs:
        print_ = pair.fingerprint
        if print_ in pairs:
            pairs[print_][1].votes.update({**pair.votes, **pairs[print_][1].votes})
        else:
            pairs[print_] = (line, pair)
    known = {item.fingerprint: item for item in queue.items.filter(fingerprint__in=pairs)}
    there = {item.pk for item in known.values()}
    voted = set(Annotation.objects.filter(item__in=there).values_list("item_id", "rater"))
    fresh = {
        print_: _item(queue, print_, begun + line * _STEP, pair, further)
        for print_, (line, pair) in pairs.items()
        if print_ not in known
    }
    votes = [
        vote
        for print_, (_, pair) in pairs.items()
        for vote in _votes(queue, (known.get(print_) or fresh[print_]).pk, pair)
        if (vote.item_id, vote.rater) not in voted
    ]
    QueueItem.objects.bulk_create(fresh.values())
    Annotation.objects.bulk_create(votes)
    disputed = [item for item in fresh.values() if item.status == QueueItem.Status.DISPUTED]
    if disputed:
        send_to_adjudication(disputed, queue)
    _follow(queue, [vote.item_id for vote in votes if vote.item_id in there])
    return Written(len(fresh), len(batch.pairs) - len(fresh), len(votes))


def _item(queue: AnnotationQueue, fingerprint: str, place: float, pair: Pair, further: int) -> QueueItem:
    places = further or (0 if pair.votes else 1)
    return QueueItem(
        queue=queue,
        fingerprint=fingerprint,
        content=pair.content,
        sort_key=place,
        submitted=len(pair.votes),
        open_places=places,
        status=_status(queue, [{VOTE_KEY: vote} for vote in pair.votes.values()], places),
    )


def _status(queue: AnnotationQueue, given: list[dict[str, Any]], places: int) -> QueueItem.Status:
    if places:
        return QueueItem.Status.OPEN
    apart = disagreements(read_form(queue.form), given)
    return QueueItem.Status.DISPUTED if apart else QueueItem.Status.DONE


def _votes(queue: AnnotationQueue, item_id: UUID, pair: Pair) -> list[Annotation]:
    now = timezone.now()
    return [
        Annotation(
            item_id=item_id,
            queue=queue,
            rater=f"import:{rater}",
            state=Annotation.State.SUBMITTED,
            values={VOTE_KEY: vote},
            submitted_at=now,
            changed_at=now,
        )
        for rater, vote in pair.votes.items()
    ]


def _follow(queue: AnnotationQueue, item_ids: list[UUID]) -> None:
    """Items that were there already, once further votes are on them."""
    added: dict[UUID, int] = {}
    for item_id in item_ids:
        added[item_id] = added.get(item_id, 0) + 1
    items = list(queue.items.select_for_update(no_key=True).filter(pk__in=added).order_by("pk"))
    given: dict[UUID, list[dict[str, Any]]] = {}
    submitted = Annotation.objects.filter(item__in=added, state=Annotation.State.SUBMITTED)
    for item_id, values in submitted.values_list("item_id", "values"):
        given.setdefault(item_id, []).append(values)
    for item in items:
        item.submitted += added[item.pk]
        item.open_places = max(0, item.open_places - added[item.pk])
        if item.status != QueueItem.Status.SETTLED:
            item.status = _status(queue, given[item.pk], item.open_places)
    QueueItem.objects.bulk_update(items, ["submitted", "open_places", "status"])
