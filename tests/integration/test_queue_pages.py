"""Pages of queues, the JSON of the labelling page, and what puts items into queues."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core.models import AuditEvent, Project, User
from apps.core.roles import Role
from apps.evaluations.models import ItemScore
from apps.feedback.models import Annotation, AnnotationQueue, QueueAddition, QueueItem
from apps.feedback.queues import adding
from apps.feedback.queues.adding import addition_run, additions_sweep, queue_items_add
from apps.feedback.queues.claiming import next_item
from apps.feedback.queues.services import queue_archive
from apps.traces.models import SpanScore
from tests.factories.core import SYSTEM, make_member
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)
from tests.factories.feedback import (
    FORM,
    make_annotation,
    make_feedback,
    make_queue,
    make_queue_item,
    make_span,
)

pytestmark = pytest.mark.django_db
_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=_BACKEND)
    return client


def page(name: str, project: Project, *args: object, query: str = "") -> str:
    return reverse(f"feedback:{name}", args=(project.slug, *args)) + query


def sent(client: Client, address: str, body: dict[str, Any], method: str = "post") -> Any:
    accept = {"accept": "application/json"}
    return getattr(client, method)(address, body, content_type="application/json", headers=accept)


def test_a_queue_is_made_with_the_form_builder_without_a_script(project: Project) -> None:
    client = signed_in(make_member(project, Role.EDITOR))
    address = page("queue-create", project, query="?preset=quality")
    shown = client.get(address)
    assert "How good is this answer?" in shown.content.decode()
    typed = {
        "name": "Answers of support",
        "kind": "single",
        "instructions": "Look at the facts.",
        "annotators_per_item": "2",
        "order": "random",
        "gold_percent": "10",
        "fields-TOTAL_FORMS": "2",
        "fields-INITIAL_FORMS": "2",
        "fields-0-key": "quality",
        "fields-0-label": "How good is it?",
        "fields-0-kind": "scale",
        "fields-0-required": "on",
        "fields-1-label": "What kind of question?",
        "fields-1-kind": "categories",
        "fields-1-options": "Billing\nDelivery\n",
    }
    more = client.post(address, typed | {"do": "add"}).content.decode()
    assert 'name="fields-2-label"' in more
    assert "Billing\nDelivery" in more
    moved = client.post(address, typed | {"do": "up-1"}).content.decode()
    assert moved.index("What kind of question?") < moved.index("How good is it?")
    assert not AnnotationQueue.objects.exists()
    refused = client.post(address, typed | {"do": "save", "fields-1-options": "Billing"})
    assert refused.status_code == 400
    assert "2 to 50 options" in refused.content.decode()
    made = client.post(address, typed | {"do": "save"})
    queue = AnnotationQueue.objects.get()
    assert made.url == page("queue-detail", project, queue.slug)  # type: ignore[attr-defined]
    assert [field["key"] for field in queue.form] == ["quality", "what-kind-of-question"]
    assert queue.form[1]["options"] == ["Billing", "Delivery"]
    assert AuditEvent.objects.filter(action="annotation_queue.create", project=project).exists()
    edited = typed | {"do": "save", "name": "Support", "fields-1-key": "what-kind-of-question"}
    client.post(page("queue-edit", project, queue.slug), edited)
    queue.refresh_from_db()
    assert (queue.name, queue.slug) == ("Support", "answers-of-support")


def test_queues_items_and_conflicts_are_shown_with_few_queries(project: Project) -> None:
    user = make_member(project, Role.EDITOR)
    client = signed_in(user)
    queue = make_queue(project, annotators_per_item=2, name="Support answers")
    items = [make_queue_item(queue, span=make_span(project, question=f"Why {n}?")) for n in range(6)]
    for item in items[:3]:
        make_annotation(item, user=user, values={"thumb": "up", "comment": "<b>Clear</b>"})
    make_annotation(items[3], rater="user:x", state="conflict", reason="I wrote this one")
    make_annotation(items[4], rater="user:x", state="skipped", reason="Too long")
    next_item(queue=queue, rater=f"user:{user.pk}", user=user)
    for name, show, expected in (
        ("queue-list", "", "Support answers"),
        ("queue-detail", "", "Why 5?"),
        ("queue-detail", "?show=open", "Why 5?"),
        ("queue-detail", "?show=conflicts", "I wrote this one"),
        ("queue-detail", "?show=skipped", "Too long"),
    ):
        args = () if name == "queue-list" else (queue.slug,)
        address = page(name, project, *args, query=show)
        client.get(address)
        with CaptureQueriesContext(
            connection,
        ) as few:
            answer = client.get(address)
        assert expected in answer.content.decode(), address
        assert len(few) < 22, address
    other = [make_queue(project) for _ in range(5)]
    for one in other:
        next_item(queue=make_queue_item(one).queue, rater="user:y", user=None)
    with CaptureQueriesContext(connection) as many:
        client.get(page("queue-list", project))
    assert len(many) <= 16
    one_item = client.get(page("queue-item", project, queue.slug, items[0].pk)).content.decode()
    assert "&lt;b&gt;Clear&lt;/b&gt;" in one_item
    assert "Thumb up" in one_item
    gold = page("queue-item-gold", project, queue.slug, items[5].pk)
    assert client.post(gold, {}).status_code == 400
    assert client.post(gold, {"gold-thumb": "down"}).status_code == 302
    assert QueueItem.objects.get(pk=items[5].pk).gold == {"thumb": "down"}
    assert "Gold 1" in client.get(page("queue-detail", project, queue.slug)).content.decode()


def test_the_labelling_pages_json_hides_names_until_the_vote_and_takes_each_submit_once(
    project: Project,
) -> None:
    user, other = (make_member(project, Role.ANNOTATOR) for _ in range(2))
    client, stranger = signed_in(user), signed_in(other)
    queue = make_queue(project, kind="pair", annotators_per_item=2)
    answers = [{"text": "Four", "name": "Version 1"}, {"text": "Five", "name": "Version 2"}]
    for number in range(6):
        content = {"messages": [{"role": "user", "content": f"{number}?"}], "answers": answers}
        make_queue_item(queue, content=content)
    seen = set()
    for _ in range(6):
        body = sent(client, page("queue-next", project, queue.slug), {"holding": []}).json()
        given, own = body["given"], body["given"]["annotation"]
        assert "Version" not in str(given)
        left = given["item"]["content"]["answers"][0]
        assert left["side"] == "A"
        seen.add(left["text"])
        kept = {"lease": own["lease"], "values": {"vote": "B"}, "revision": 1}
        assert sent(client, page("annotation-keep", project, own["id"]), kept, "put").json() == {
            "revision": 1
        }
        alive = page("annotation-alive", project, own["id"])
        assert "lease_until" in sent(client, alive, {"lease": own["lease"]}).json()
        submit = page("annotation-submit", project, own["id"])
        vote = {"lease": own["lease"], "submit_id": str(uuid4()), "values": {"vote": "A"}, "active_ms": 900}
        assert sent(stranger, submit, vote).status_code == 404
        assert sent(client, submit, vote | {"values": {"vote": "first"}}).status_code == 400
        first = sent(client, submit, vote).json()
        assert first["state"] == "submitted"
        assert first["revealed"]["A"] == ("Version 1" if left["text"] == "Four" else "Version 2")
        assert sent(client, submit, vote).json() == first
        annotation = Annotation.objects.get(pk=own["id"])
        assert annotation.values["vote"] == ("first" if left["text"] == "Four" else "second")
    assert seen == {"Four", "Five"}  # sides are shuffled
    body = sent(client, page("queue-next", project, queue.slug), {"holding": []}).json()
    assert (body["given"], body["why"]) == (None, "all_taken")
    assert body["progress"] == {"done": 0, "total": 6, "mine": 6, "left": 0}
    mine = client.get(page("queue-mine", project, queue.slug)).json()["results"]
    assert [row["values"]["vote"] for row in mine] == ["A"] * 6
    again = sent(client, page("annotation-reopen", project, mine[0]["id"]), {}).json()
    assert again["annotation"]["values"] == {"vote": "A"}
    own = again["annotation"]
    stale = {"lease": str(uuid4()), "submit_id": str(uuid4()), "values": {"vote": "tie"}}
    conflict = sent(client, page("annotation-submit", project, own["id"]), stale)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "lease_lost")
    left = page("annotation-release", project, own["id"])
    assert client.post(left, {"lease": own["lease"]}).status_code == 204  # as a beacon sends it
    assert Annotation.objects.get(pk=own["id"]).state == "submitted"
    mine_now = sent(stranger, page("queue-next", project, queue.slug), {"holding": []}).json()["given"]
    skipped = sent(
        stranger,
        page("annotation-skip", project, mine_now["annotation"]["id"]),
        {"lease": mine_now["annotation"]["lease"], "kind": "conflict", "reason": "Mine"},
    )
    assert skipped.json()["state"] == "conflict"


def test_items_come_from_spans_feedback_runs_and_comparisons_each_once(project: Project) -> None:
    client = signed_in(make_member(project, Role.EDITOR))
    spans = [make_span(project, question=f"About refunds {n}?") for n in range(3)]
    make_span(project, question="About nothing?")
    SpanScore.objects.create(project=project, span=spans[1], metric="judge", source="evaluator", value=1.0)
    make_feedback(project, spans[1], thumb=-1)
    make_feedback(project, spans[2], thumb=1)
    queue = make_queue(project, order="uncertain")
    spans_of = page("queue-add", project, query=f"?source=spans&text=refunds&queue={queue.slug}")
    assert "<strong>3</strong> answers" in client.get(spans_of).content.decode()
    added = client.post(spans_of, {"queue_slug": queue.slug})
    assert added.status_code == 302
    first = next_item(queue=queue, rater="user:a", user=None)
    assert first is not None
    assert (first.item.span_id, first.item.uncertainty) == (spans[1].pk, 1.0)
    thumbs_down = {"kind": "feedback", "query": "thumb=down"}
    again = queue_items_add(queue=queue, by=SYSTEM, source=thumbs_down)
    assert (again.total, again.added) == (1, 0)
    ticked = page("queue-add", project, query=f"?source=spans&spans={spans[0].pk}&spans={spans[2].pk}")
    client.post(ticked, {"name": "Chosen", "preset": "thumb"})
    assert AnnotationQueue.objects.get(name="Chosen").item_count == 2

    version = make_dataset_version(project, 6)
    judge = make_evaluator_version(project)
    run = make_run(project, version, outputs=list("abcdef"), evaluators=[judge])
    other = make_run(project, version, outputs=["a", *"uvwx", None])
    metric = run.plan["metrics"][0]["name"]
    for item, value in zip(run.items.order_by("position"), (0, 0, 1, 1, 1, 1), strict=True):
        ItemScore.objects.create(item=item, metric=metric, value=value, evaluator_version=judge)
    poor = page("queue-add", project, query=f"?source=run&run={run.number}")
    client.post(poor, {"name": "Poor answers", "preset": "quality", "metric": metric, "below": "0.5"})
    poor_queue = AnnotationQueue.objects.get(name="Poor answers")
    assert sorted(item.content["answers"][0]["text"] for item in poor_queue.items.all()) == ["a", "b"]
    three = {"kind": "run", "run": run.number, "sample": 3}
    assert queue_items_add(queue=make_queue(project), by=SYSTEM, source=three).added == 3
    comparison = make_comparison(project, run, other, compute=False)
    pairs = page("queue-add", project, query=f"?source=comparison&comparison={comparison.number}")
    assert "<strong>4</strong> pairs" in client.get(pairs).content.decode()
    client.post(pairs, {"name": "Which is better", "preset": "pair"})
    assert AnnotationQueue.objects.get(name="Which is better").item_count == 4
    wrong = client.post(page("queue-add", project, query=f"?source=run&run={run.number + 50}"), {})
    assert wrong.status_code == 400


def test_many_items_are_added_by_a_worker_which_another_one_may_take_over(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        make_span(project, question=f"Question {number}?", started_at=timezone.now() - timedelta(days=number))
    monkeypatch.setattr(adding, "MOST_IN_REQUEST", 4)
    monkeypatch.setattr(adding, "BATCH", 2)
    queue = make_queue(project)
    newest = make_queue_item(queue, sort_key=timezone.now().timestamp() + 100)
    ahead = next_item(queue=queue, rater="user:a", user=None)
    assert ahead is not None
    assert ahead.item == newest
    addition = queue_items_add(queue=queue, by=SYSTEM, source={"kind": "spans", "query": ""})
    assert (addition.status, addition.total) == ("pending", 9)
    batches, real = [], adding.things_add

    def dying_in_the_third(*args: Any) -> int:
        batches.append(args)
        if len(batches) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(adding, "things_add", dying_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        addition_run(addition.pk)
    addition_run(addition.pk)  # another worker, while the lease runs
    addition.refresh_from_db()
    assert (addition.status, addition.seen) == ("running", 4)
    QueueAddition.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    additions_sweep()
    addition_run(addition.pk)
    addition.refresh_from_db()
    assert (addition.status, addition.seen, addition.added) == ("completed", 9, 9)
    queue.refresh_from_db()
    assert queue.item_count == 10
    # All of them are older than where the annotator is, and come all the same, the oldest first.
    holding = [ahead.annotation.pk]
    following = next_item(queue=queue, rater="user:a", user=None, holding=holding)
    assert following is not None
    assert following.item.happened_at is not None


def test_an_addition_that_cannot_go_on_is_not_tried_for_ever(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_span(project)
    make_span(project)
    monkeypatch.setattr(adding, "MOST_IN_REQUEST", 1)
    queue, source = make_queue(project), {"kind": "spans", "query": ""}
    broken, killing = (queue_items_add(queue=queue, by=SYSTEM, source=source) for _ in range(2))

    def fails(*_: Any) -> int:
        raise TypeError("A defect")

    monkeypatch.setattr(adding, "things_add", fails)
    addition_run(broken.pk)
    broken.refresh_from_db()
    assert (broken.status, broken.lease_until) == ("failed", None)
    assert "0 of 2" in broken.status_reason
    days_ago = timezone.now() - timedelta(days=2)
    QueueAddition.objects.filter(pk=killing.pk).update(
        created_at=days_ago, status="running", lease_until=days_ago
    )
    additions_sweep()
    killing.refresh_from_db()
    assert killing.status == "failed"


def test_queues_over_rest_take_annotations_made_elsewhere(
    project: Project, api_client: Callable[[Role], APIClient]
) -> None:
    editor, annotator, other = map(api_client, (Role.EDITOR, Role.ANNOTATOR, Role.ANNOTATOR))
    span = make_span(project, question="About refunds?")
    asked = {"name": "Answers", "annotators_per_item": 2, "form": FORM}
    made = editor.post("/api/v1/annotation-queues/", asked, format="json")
    assert made.status_code == 201, made.data
    slug = made.data["slug"]
    address = f"/api/v1/annotation-queues/{slug}/"
    wrong = editor.post("/api/v1/annotation-queues/", asked | {"form": [{"key": "A"}]}, format="json")
    assert wrong.status_code == 400
    added = editor.post(f"{address}items/", {"kind": "spans", "query": "text=refunds"}, format="json")
    assert (added.status_code, added.data["added"]) == (201, 1)
    for kind, query in (
        ("spans", "since=yesterday"),
        ("spans", "txt=refunds"),
        ("feedback", "thumb=sideways"),
    ):
        everything = editor.post(f"{address}items/", {"kind": kind, "query": query}, format="json")
        assert everything.status_code == 400, query
        assert query in everything.json()["detail"]
    assert editor.get("/api/v1/spans/?since=yesterday").status_code == 400
    assert len(editor.get("/api/v1/spans/?text=refunds&limit=5").data["results"]) == 1
    item = editor.get(f"{address}items/").data["results"][0]
    assert (item["span"], item["open_places"]) == (span.pk, 2)
    mine = {"item": item["id"], "values": {"thumb": "up"}}
    assert annotator.post(f"{address}annotations/", mine, format="json").data["state"] == "submitted"
    changed = annotator.post(f"{address}annotations/", mine | {"values": {"thumb": "down"}}, format="json")
    assert (changed.status_code, changed.data["values"]) == (201, {"thumb": "down"})
    assert other.post(f"{address}annotations/", mine, format="json").data["state"] == "submitted"
    assert editor.post(f"{address}annotations/", mine, format="json").data["state"] == "surplus"
    refused = other.post(f"{address}annotations/", mine | {"values": {}}, format="json")
    assert "thumb" in refused.json()["errors"]
    for no_values in (-1, True, "x", [["thumb", "up"]], None):
        sent = other.post(f"{address}annotations/", mine | {"values": no_values}, format="json")
        assert sent.status_code == 400, no_values
    told = editor.get(f"{address}annotations/").data["results"]
    assert sorted(row["values"]["thumb"] for row in told) == ["down", "up"]
    assert SpanScore.objects.filter(span=span, source="human").count() == 2
    settings = editor.patch(address, {"annotators_per_item": 3}, format="json")
    assert settings.data["disputed_count"] == 0
    assert editor.get(address).data["submitted_count"] == 2
    queue_archive(queue=AnnotationQueue.objects.get(slug=slug), by=SYSTEM)
    late = annotator.post(f"{address}annotations/", mine, format="json")
    assert (late.status_code, late.json()["code"]) == (409, "queue_archived")


@pytest.mark.parametrize(
    "before", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-01-01", "x"]
)
def test_what_is_no_time_to_go_back_to_is_told(project: Project, before: str) -> None:
    queue = make_queue(project)
    client = signed_in(make_member(project, Role.ANNOTATOR))
    told = client.get(page("queue-mine", project, queue.slug), {"before": before})
    assert told.status_code == 400
