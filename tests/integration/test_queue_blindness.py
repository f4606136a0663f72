"""Who is to judge sees neither what is known to be right, nor what others said, nor whose the answers are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from apps.core.models import Project, User
from apps.core.roles import Role
from apps.feedback.models import QueueItem
from tests.factories.core import make_member
from tests.factories.feedback import make_annotation, make_queue, make_queue_item

pytestmark = pytest.mark.django_db
_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


def seen_by(user: User, project: Project, item: QueueItem) -> dict[str, Any]:
    client = Client()
    client.force_login(user, backend=_BACKEND)
    address = reverse("feedback:queue-item", args=[project.slug, item.queue.slug, item.pk])
    response = client.get(address)
    assert response.status_code == 200
    return {name: response.context[name] for name in ("judgements", "content", "gold", "known")}


def test_an_item_tells_an_annotator_nothing_before_they_have_judged_it(project: Project) -> None:
    queue = make_queue(project, kind="pair", annotators_per_item=2)
    item = make_queue_item(queue)
    make_annotation(item, rater="user:other", values={"vote": "first"})
    annotator, editor = (make_member(project, role) for role in (Role.ANNOTATOR, Role.EDITOR))
    assert len(seen_by(editor, project, item)["judgements"]) == 1
    before = seen_by(annotator, project, item)
    assert before["judgements"] == []
    assert not any(answer.get("name") for answer in before["content"]["answers"])
    make_annotation(item, user=annotator, values={"vote": "second"})
    after = seen_by(annotator, project, item)
    assert len(after["judgements"]) == 2
    assert all(answer["name"] for answer in after["content"]["answers"])


def test_gold_items_look_like_the_others_to_annotators(
    project: Project, api_client: Callable[[Role], APIClient]
) -> None:
    queue = make_queue(project)
    item = make_queue_item(queue)
    QueueItem.objects.filter(pk=item.pk).update(gold={"thumb": "up"}, open_places=0)
    make_annotation(make_queue_item(queue), rater="user:other", values={"thumb": "up"})
    annotator, editor = (make_member(project, role) for role in (Role.ANNOTATOR, Role.EDITOR))
    assert seen_by(editor, project, item)["known"] == {"thumb": "up"}
    assert seen_by(annotator, project, item)["gold"] is None
    client = Client()
    client.force_login(annotator, backend=_BACKEND)
    address = reverse("feedback:queue-detail", args=[project.slug, queue.slug])
    for query in ("", "?show=gold"):
        rows = client.get(address + query).context["page"].rows
        assert [row.gold for row in rows] == [None, None]
    rest = f"/api/v1/annotation-queues/{queue.slug}/"
    told = {
        role: api_client(role).get(f"{rest}items/").data["results"] for role in (Role.ANNOTATOR, Role.EDITOR)
    }
    assert {row["gold"] is None for row in told[Role.ANNOTATOR]} == {True}
    assert {row["gold"] is None for row in told[Role.EDITOR]} == {True, False}
    assert api_client(Role.ANNOTATOR).get(f"{rest}annotations/").data["results"] == []
    assert len(api_client(Role.EDITOR).get(f"{rest}annotations/").data["results"]) == 1
