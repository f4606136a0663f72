"""Erasing a person: what they said goes, and what was trained on it stays known."""

from __future__ import annotations

import pytest

from apps.core.models import AuditEvent
from apps.core.roles import Role
from apps.evaluations.models import ItemScore, PairVote
from apps.feedback.models import Annotation, Feedback, TrainingSet, TrainingSource
from apps.feedback.thumbs.tokens import subject_of
from apps.feedback.training_sets import services
from apps.feedback.training_sets.freezing import freeze_run
from apps.feedback.training_sets.previewing import preview_run
from apps.feedback.training_sets.recipe import read_recipe
from apps.traces.models import SpanScore
from tests.factories.core import SYSTEM, make_user
from tests.factories.evaluations import make_dataset_version, make_run
from tests.factories.feedback import (
    make_annotation,
    make_feedback,
    make_queue,
    make_queue_item,
    make_span,
    make_vote,
)

pytestmark = pytest.mark.django_db
URL = "/api/v1/subjects/erase/"


def made(project, method, *, freeze: bool) -> TrainingSet:
    asked = services.training_set_create(
        project=project, by=SYSTEM, name="A set", method=method, recipe=read_recipe({"tokenizer": "estimate"})
    )
    preview_run(set_id=asked.pk)
    if freeze:
        services.training_set_freeze(training_set=asked, by=SYSTEM)
        freeze_run(set_id=asked.pk)
    asked.refresh_from_db()
    return asked


def test_an_end_user_is_forgotten_and_the_sets_that_used_them_are_named(project, api_client, client_as):
    span, others = make_span(project, user="ada"), make_span(project, user="bob")
    make_feedback(project, span, user="ada", comment="My name is Ada.")
    make_feedback(project, others, user="bob")
    frozen, preview = made(project, "kto", freeze=True), made(project, "sft", freeze=False)
    client = api_client(Role.ADMIN)

    found = client.post(URL, {"who": "ada", "dry_run": True}, format="json").json()
    assert found["state"] == "found"
    assert found["counts"] == {"feedback": 1, "annotations": 0, "votes": 0, "scores": 1, "traces": 1}
    assert Feedback.objects.count() == 2
    page = client_as(Role.ADMIN).post(
        f"/p/{project.slug}/feedback/erase/", {"kind": "end_user", "who": "ada", "step": "look"}
    )
    assert frozen.name in page.content.decode()

    erased = client.post(URL, {"who": "ada"}, format="json").json()

    assert erased["state"] == "erased"
    assert {row["number"] for row in erased["training_sets"]} == {frozen.number, preview.number}
    subject = subject_of(project_id=project.pk, user="ada")
    assert not Feedback.objects.filter(subject=subject).exists()
    assert not SpanScore.objects.filter(rater=subject).exists()
    span.trace.refresh_from_db()
    assert span.trace.user == ""
    assert Feedback.objects.count() == 1
    assert not TrainingSource.objects.filter(person=subject).exists()
    kept = TrainingSource.objects.get(training_set=frozen, example_key=f"span:{span.pk}")
    assert kept.person == TrainingSource.ERASED
    preview.refresh_from_db()
    assert preview.status == "pending"
    preview_run(set_id=preview.pk)
    preview.refresh_from_db()
    assert preview.figures["rows"] == 1
    [event] = AuditEvent.objects.filter(action="person.erase")
    assert "ada" not in str(event.after)
    assert subject not in str(event.after)
    shown = client.get(f"/api/v1/training-sets/{frozen.number}/").json()
    assert shown["has_erased"] is True
    page = client_as(Role.EDITOR).get(f"/p/{project.slug}/feedback/training/{frozen.number}/")
    assert "contains rows of a person who was erased" in page.content.decode()
    again = client_as(Role.EDITOR).post(f"/p/{project.slug}/feedback/training/{frozen.number}/again/")
    number = int(again.headers["Location"].rstrip("/").rpartition("/")[2])
    renewed = TrainingSet.objects.get(project=project, number=number)
    preview_run(set_id=renewed.pk)
    assert not services.training_sets_sweep()
    renewed.refresh_from_db()
    assert renewed.figures["rows"] == 1


def test_an_annotators_places_come_free_again(project, api_client):
    grace = make_user("grace@example.com")
    queue = make_queue(project, annotators_per_item=2)
    item = make_queue_item(queue, span=make_span(project))
    make_annotation(item, user=grace, values={"thumb": "up"})
    make_annotation(item, rater="user:other", values={"thumb": "up"})
    dataset = make_dataset_version(project, 2)
    one, other = (make_run(project, dataset, outputs=[f"{name} 1", f"{name} 2"]) for name in "ab")
    ours, theirs = one.items.order_by("position")[0], other.items.order_by("position")[0]
    make_vote(ours, theirs, ours, rater=grace.pk)
    ItemScore.objects.create(
        item=ours, metric="preference", source="human", rater=f"user:{grace.pk}", value=1.0
    )
    assert item.status == "done"

    erased = api_client(Role.ADMIN).post(
        URL, {"kind": "annotator", "who": "Grace@example.com"}, format="json"
    )

    assert erased.json()["counts"]["annotations"] == 1
    assert erased.json()["counts"]["votes"] == 1
    assert not Annotation.objects.filter(rater=f"user:{grace.pk}").exists()
    assert not PairVote.objects.exists()
    assert not ItemScore.objects.filter(source="human").exists()
    item.refresh_from_db()
    assert (item.status, item.open_places, item.submitted) == ("open", 1, 1)
    nobody = api_client(Role.ADMIN).post(URL, {"kind": "annotator", "who": "no@example.com"}, format="json")
    assert nobody.status_code == 400
    assert api_client(Role.EDITOR).post(URL, {"who": "ada"}, format="json").status_code == 403
