"""What annotators do with a queue's items, and what becomes of items and scores."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.evaluations.models import ItemScore, PairVote
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.claiming import Given, next_item
from apps.feedback.queues.errors import AlreadySubmitted, LeaseLost, PlacesTaken, QueueArchived, Settled
from apps.feedback.queues.gold import item_gold_set, item_gold_unset, known_answers
from apps.feedback.queues.leases import MOST_RELEASED, leases_sweep
from apps.feedback.queues.selectors import my_annotations, queue_progress
from apps.feedback.queues.services import adjudication_create, queue_archive, queue_update
from apps.feedback.queues.submitting import (
    Submitted,
    annotation_heartbeat,
    annotation_keep,
    annotation_release,
    annotation_reopen,
    annotation_skip,
    annotation_submit,
)
from apps.traces.models import SpanScore
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_dataset_version, make_run
from tests.factories.feedback import PAIR_FORM, make_annotation, make_queue, make_queue_item, make_span

pytestmark = pytest.mark.django_db
ANN, BOB, CAT = "user:ann", "user:bob", "user:cat"
UP, DOWN = {"thumb": "up"}, {"thumb": "down"}
Status = QueueItem.Status


def take(queue: AnnotationQueue, rater: str, *holding: Given) -> Given | None:
    return next_item(queue=queue, rater=rater, user=None, holding=[given.annotation.pk for given in holding])


def send(given: Given | Annotation, values: dict[str, Any], **changes: Any) -> Submitted:
    annotation = given.annotation if isinstance(given, Given) else given
    sent: dict[str, Any] = {"lease": annotation.lease, "submit_id": uuid4(), "values": values} | changes
    return annotation_submit(annotation_id=annotation.pk, rater=annotation.rater, **sent)


def judge(queue: AnnotationQueue, rater: str, values: dict[str, Any]) -> Annotation:
    given = take(queue, rater)
    assert given is not None
    return send(given, values).annotation


def skip(given: Given, kind: str = "later", reason: str = "") -> Annotation:
    annotation = given.annotation
    return annotation_skip(
        annotation_id=annotation.pk,
        rater=annotation.rater,
        lease=annotation.lease,
        kind=kind,
        reason=reason,
    )


def run_out(*given: Given | Annotation) -> None:
    """The leases end, as if ten minutes had passed."""
    ids = [one.annotation.pk if isinstance(one, Given) else one.pk for one in given]
    Annotation.objects.filter(pk__in=ids).update(lease_until=timezone.now() - timedelta(seconds=1))


def fresh(item: QueueItem) -> QueueItem:
    return QueueItem.objects.get(pk=item.pk)


def test_a_skipped_item_comes_back_last_and_a_known_one_never(project: Project) -> None:
    queue = make_queue(project)
    items = [make_queue_item(queue) for _ in range(3)]
    first = take(queue, ANN)
    assert first is not None
    assert first.item == items[0]
    skip(first, reason="Not now")
    second = take(queue, ANN)
    assert second is not None
    assert second.item == items[1]
    skip(second, "conflict", "I wrote it")
    third = take(queue, ANN)
    assert third is not None
    assert third.item == items[2]
    assert not third.again
    send(third, UP)
    back = take(queue, ANN)
    assert back is not None
    assert back.item == items[0]
    assert back.again
    send(back, UP)
    assert take(queue, ANN) is None
    others = take(queue, BOB)  # its place was free for others at once
    assert others is not None
    assert others.item == items[1]
    send(others, DOWN)
    queue.refresh_from_db()
    assert (queue.done_count, queue.submitted_count) == (3, 3)
    conflict = Annotation.objects.get(item=items[1], rater=ANN)
    assert (conflict.state, conflict.reason) == ("conflict", "I wrote it")
    told = [row.item for row in my_annotations(queue=queue, rater=ANN)]
    assert told == [items[0], items[2], items[1]]


def test_what_is_held_is_given_again_and_fenced_and_no_more_than_three_are_held(project: Project) -> None:
    queue = make_queue(project, annotators_per_item=2)
    items = [make_queue_item(queue) for _ in range(5)]
    one = take(queue, ANN)
    assert one is not None
    two, three = take(queue, ANN, one), None
    assert two is not None
    three = take(queue, ANN, one, two)
    assert three is not None
    assert [one.item, two.item, three.item] == items[:3]
    assert take(queue, ANN, one, two, three) is None
    other_window = take(queue, ANN)
    assert other_window is not None
    assert other_window.item == items[0]
    with pytest.raises(LeaseLost):
        annotation_keep(
            annotation_id=one.annotation.pk, rater=ANN, lease=one.annotation.lease, values=UP, revision=1
        )
    with pytest.raises(LeaseLost):
        send(one, UP)
    own: dict[str, Any] = {
        "annotation_id": other_window.annotation.pk,
        "rater": ANN,
        "lease": other_window.annotation.lease,
    }
    assert annotation_keep(**own, values={"comment": "so far"}, revision=4) == 4
    assert annotation_keep(**own, values={"comment": "older"}, revision=3) == 4
    with pytest.raises(InvalidInput) as refused:
        annotation_keep(**own, values={"thumb": "sideways"}, revision=5)
    assert set(refused.value.fields) == {"thumb"}
    assert annotation_heartbeat(**own) > timezone.now() + timedelta(minutes=9)
    annotation_release(**own)
    assert fresh(items[0]).open_places == 2
    back = take(queue, ANN, two, three)
    assert back is not None
    assert back.annotation.values == {"comment": "so far"}


def test_a_lease_that_runs_out_strands_nothing_and_a_late_submit_is_kept(project: Project) -> None:
    queue = make_queue(project)
    item = make_queue_item(queue, span=make_span(project))
    gone = take(queue, ANN)
    assert gone is not None
    assert take(queue, BOB) is None
    run_out(gone)
    leases_sweep()
    assert Annotation.objects.get(rater=ANN).state == "expired"
    taken = take(queue, BOB)
    assert taken is not None
    assert taken.item == item
    late = send(gone, UP)
    assert late.state == "surplus"
    assert send(gone, UP, submit_id=late.annotation.submit_id).state == "surplus"
    assert not SpanScore.objects.exists()
    assert send(taken, DOWN).state == "submitted"
    assert (fresh(item).submitted, fresh(item).open_places, fresh(item).status) == (1, 0, Status.DONE)
    with pytest.raises(PlacesTaken):
        annotation_reopen(annotation_id=late.annotation.pk, rater=ANN)
    # Where nobody took the place, what comes late counts.
    second = make_queue_item(queue)
    gone = take(queue, CAT)
    assert gone is not None
    assert gone.item == second
    run_out(gone)
    leases_sweep()
    assert send(gone, UP).state == "submitted"
    assert queue_progress(queue, CAT).as_json() == {"done": 2, "total": 2, "mine": 1, "left": 0}


def test_however_many_vanished_what_one_holds_is_given_again_first(project: Project) -> None:
    queue = make_queue(project)
    items = [make_queue_item(queue, sort_key=float(place)) for place in range(MOST_RELEASED + 5)]
    mine = take(queue, ANN)
    assert mine is not None
    long_ago = timezone.now() - timedelta(hours=1)
    for place, item in enumerate(items[1:]):
        make_annotation(item, rater=f"user:{place}", state="claimed", lease_until=long_ago)
    QueueItem.objects.filter(pk__in=[item.pk for item in items[1:]]).update(open_places=0)
    again = take(queue, ANN)
    assert again is not None
    assert again.annotation == mine.annotation


def test_undo_opens_a_submitted_item_and_what_was_said_stands_again_when_it_is_left(project: Project) -> None:
    queue = make_queue(project, annotators_per_item=2)
    item = make_queue_item(queue, span=make_span(project))
    judge(queue, BOB, UP)
    sent = judge(queue, ANN, {"thumb": "up", "scale": 4, "comment": "Clear."})
    assert fresh(item).status == Status.DONE
    score = SpanScore.objects.get(rater=ANN, metric="scale")
    assert (score.value, score.source, score.comment) == (4.0, "human", "Clear.")
    again = annotation_reopen(annotation_id=sent.pk, rater=ANN)
    assert again.values["scale"] == 4
    assert (fresh(item).status, fresh(item).submitted, fresh(item).open_places) == (Status.OPEN, 1, 0)
    assert not SpanScore.objects.filter(rater=ANN).exists()
    assert take(queue, CAT) is None  # the place is held
    annotation_keep(annotation_id=again.pk, rater=ANN, lease=again.lease, values=DOWN, revision=9)
    run_out(again)
    leases_sweep()
    assert Annotation.objects.get(pk=sent.pk).values["thumb"] == "up"
    assert (fresh(item).status, fresh(item).submitted) == (Status.DONE, 2)
    assert SpanScore.objects.get(rater=ANN, metric="thumb").value == 1.0
    again = annotation_reopen(annotation_id=sent.pk, rater=ANN)
    with pytest.raises(LeaseLost):
        send(sent, UP)  # from the window that had it before
    send(again, UP)
    with pytest.raises(AlreadySubmitted):
        send(again, DOWN)
    assert not SpanScore.objects.filter(rater=ANN, metric="scale").exists()
    assert [line["what"] for line in Annotation.objects.get(pk=sent.pk).history] == [
        *("submitted", "reopened", "expired", "reopened", "submitted")
    ]
    assert queue_progress(queue, ANN).mine == 1


def test_disagreements_go_to_an_adjudicator_whose_answer_is_what_counts(project: Project) -> None:
    queue = make_queue(project, annotators_per_item=2)
    early, late, agreed = [make_queue_item(queue, span=make_span(project)) for _ in range(3)]
    for values in (UP, UP, UP):
        judge(queue, ANN, values)
    for values in (DOWN, UP):
        given = take(queue, BOB)
        assert given is not None
        send(given, values)
        if given.item == early:
            adjudication = adjudication_create(queue=queue, by=SYSTEM)
            assert adjudication_create(queue=queue, by=SYSTEM) == adjudication
    judge(queue, BOB, DOWN)
    assert [fresh(item).status for item in (early, late, agreed)] == ["disputed", "done", "disputed"]
    assert adjudication.items.count() == 2
    given = take(adjudication, CAT)
    assert given is not None
    assert given.item.disputed == early
    assert sorted(values["thumb"] for values in given.others) == ["down", "up"]
    settled = send(given, DOWN).annotation
    assert fresh(early).status == Status.SETTLED
    assert known_answers(fresh(early)) == DOWN
    counted = SpanScore.objects.filter(span=early.span, metric="thumb")
    assert list(counted.values_list("rater", "value")) == [(CAT, 0.0)]
    with pytest.raises(Settled):
        annotation_reopen(annotation_id=Annotation.objects.get(item=early, rater=ANN).pk, rater=ANN)
    annotation_reopen(annotation_id=settled.pk, rater=CAT)
    assert fresh(early).status == Status.DISPUTED
    assert set(counted.values_list("rater", "value")) == {(ANN, 1.0), (BOB, 0.0)}
    # Annotators who come to agree need no adjudicator.
    changed = annotation_reopen(annotation_id=Annotation.objects.get(item=agreed, rater=BOB).pk, rater=BOB)
    send(changed, UP)
    assert fresh(agreed).status == Status.DONE
    assert not adjudication.items.filter(disputed=agreed).exists()


def test_gold_items_are_mixed_in_for_everybody_and_give_no_scores(project: Project) -> None:
    queue = make_queue(project, gold_percent=25)
    items = [make_queue_item(queue, span=make_span(project)) for _ in range(40)]
    judge(queue, BOB, UP)
    assert SpanScore.objects.count() == 1
    for item in items[:4]:
        item_gold_set(item=fresh(item), by=SYSTEM, values={"thumb": "up", "comment": "not what is known"})
    assert SpanScore.objects.count() == 0
    with pytest.raises(InvalidInput):
        item_gold_set(item=items[5], by=SYSTEM, values={"comment": "Nothing to be right about"})
    queue.refresh_from_db()
    assert (queue.item_count, queue.gold_count, queue.submitted_count) == (36, 4, 0)
    for rater in (ANN, CAT):
        seen = []
        for _ in range(18):
            given = take(queue, rater)
            assert given is not None
            seen.append(given.item)
            send(given, UP)
        gold = [item for item in seen if item.gold is not None]
        assert 2 <= len(gold) <= 4
        assert len(set(seen)) == len(seen)
    queue.refresh_from_db()
    work = Annotation.objects.filter(queue=queue, item__gold__isnull=True, state="submitted").count()
    assert queue.submitted_count == work == SpanScore.objects.count()
    # The one that was judged before counts again when it is gold no more.
    item_gold_unset(item=items[0], by=SYSTEM)
    assert fresh(items[0]).status == Status.DONE
    assert SpanScore.objects.filter(span=items[0].span, rater=BOB).exists()


def test_votes_on_pairs_of_results_are_those_of_blind_review(project: Project) -> None:
    version = make_dataset_version(project, 3)
    one, other = (make_run(project, version, outputs=texts) for texts in (("a", "b", "c"), ("d", "e", "f")))
    queue = make_queue(
        project, kind="pair", form=[*PAIR_FORM, {"key": "why", "label": "Why", "kind": "comment"}]
    )
    pairs = list(zip(one.items.order_by("position"), other.items.order_by("position"), strict=True))
    for first, second in pairs:
        make_queue_item(queue, result=first, other_result=second)
    judge(queue, ANN, {"vote": "first", "why": "Shorter."})
    judge(queue, ANN, {"vote": "second"})
    bad = judge(queue, ANN, {"vote": "bad"})

    def preference(result: Any) -> float | None:
        return ItemScore.objects.get(item=result, metric="preference", source="human", rater=ANN).value

    assert [(preference(a), preference(b)) for a, b in pairs] == [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]
    votes = {frozenset((vote.item_id, vote.other_item_id)): vote for vote in PairVote.objects.all()}
    told = votes[frozenset((pairs[0][0].pk, pairs[0][1].pk))]
    assert told.reason == "Shorter."
    assert told.shown_first in ("item", "other")
    assert not told.both_bad
    worst = votes[frozenset((pairs[2][0].pk, pairs[2][1].pk))]
    assert (worst.winner, worst.both_bad) == ("tie", True)
    annotation_reopen(annotation_id=bad.pk, rater=ANN)
    assert PairVote.objects.count() == 2
    assert not ItemScore.objects.filter(item=pairs[2][0], source="human").exists()


def test_a_rating_of_a_result_is_a_score_of_its_run(project: Project) -> None:
    run = make_run(project, outputs=("a", "b", "c", "d"))
    result = run.items.order_by("position")[0]
    queue = make_queue(project)
    make_queue_item(queue, result=result)
    sent = judge(queue, ANN, {"thumb": "down", "comment": "No."})
    score = ItemScore.objects.get(item=result, source="human")
    assert (score.metric, score.value, score.label, score.detail) == ("thumb", 0.0, "down", "No.")
    annotation_reopen(annotation_id=sent.pk, rater=ANN)
    assert not ItemScore.objects.filter(item=result, source="human").exists()


def test_places_and_order_follow_the_queues_settings(project: Project) -> None:
    queue = make_queue(project, annotators_per_item=2)
    items = [make_queue_item(queue, uncertainty=number / 10) for number in range(4)]
    for rater, values in ((ANN, UP), (BOB, DOWN)):
        for _ in range(2):
            judge(queue, rater, values)
    held = take(queue, ANN)
    assert held is not None
    assert held.item == items[2]
    queue = queue_update(queue=queue, by=SYSTEM, annotators_per_item=3, order="uncertain")
    assert [fresh(item).open_places for item in items] == [1, 1, 2, 3]
    assert {fresh(item).status for item in items} == {Status.OPEN}
    first = take(queue, CAT)
    assert first is not None
    assert first.item == items[3]
    send(first, UP)
    assert [judge(queue, CAT, UP).item for _ in range(3)] == [items[2], items[1], items[0]]
    assert fresh(items[0]).status == Status.DISPUTED
    send(held, UP)
    queue = queue_update(queue=queue, by=SYSTEM, annotators_per_item=1)
    assert [fresh(item).status for item in items] == ["disputed", "disputed", "done", "done"]
    assert take(queue, "user:dan") is None
    with pytest.raises(InvalidInput):
        queue_update(queue=queue, by=SYSTEM, form=[{**queue.form[0], "kind": "text"}])
    queue_archive(queue=queue, by=SYSTEM)
    with pytest.raises(QueueArchived):
        take(queue, ANN)
