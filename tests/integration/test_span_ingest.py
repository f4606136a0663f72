"""Calls that an application made itself come in through REST, and are read there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.providers.services import ProviderSettings, provider_create
from apps.traces.models import Span, Trace
from apps.traces.scores import END_USER, THUMB, span_score_set
from tests.factories.core import SYSTEM
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db
PATH = "/api/v1/spans/"


def sent(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "model": "gpt-4o-mini", "messages": [{"role": "user", "content": id}], **more}


@pytest.fixture
def client(api_client: Callable[[Role], APIClient]) -> APIClient:
    return api_client(Role.EDITOR)


def post(client: APIClient, *spans: Any, status: int = 200) -> dict[str, Any]:
    response = client.post(PATH, {"spans": list(spans)}, format="json")
    assert response.status_code == status, response.content
    answer: dict[str, Any] = response.json()
    return answer


def test_a_span_is_kept_whole_and_read_back(client: APIClient, project: Project) -> None:
    version = make_version(make_prompt(project, "Support"), "{{ q }}", parameters={"model": "dear/m"})
    settings = ProviderSettings(name="Dear", base_url="http://127.0.0.1:9/v1")
    provider = provider_create(project=project, by=SYSTEM, kind="openai", settings=settings)
    provider.models.create(name="m", input_price=Decimal(1_000_000), output_price=Decimal(0))
    began = timezone.now() - timedelta(days=3)
    whole = sent(
        "a-1",
        model="m",
        output="  Soon.\n",
        inputs={"q": "When?"},
        parameters={"temperature": 0.5},
        input_tokens=3,
        output_tokens=1,
        started_at=began.isoformat(),
        duration_ms=12.5,
        prompt="support",
        prompt_version=1,
        session="s",
        user="u",
        tags=["web"],
        trace="t-1",
        name="answer",
        finish_reason="stop",
    )
    child = sent("a-2", kind="tool", parent="a-1", trace="t-1", error="No such order")
    answer = post(client, child, whole)
    assert (answer["accepted"], answer["duplicates"], answer["rejected"]) == (2, 0, [])
    span, tool = Span.objects.get(external_id="a-1"), Span.objects.get(external_id="a-2")
    assert answer["spans"][0] == {"id": "a-1", "span_id": str(span.pk), "status": "accepted"}
    assert (span.cost_usd, span.model_name, span.prompt_version) == (3, "dear/m", version)
    assert (tool.parent, tool.trace, tool.error_kind, tool.user) == (span, span.trace, "error", "u")
    assert span.pk < Span(project=project).pk, "an id of three days ago"
    span_score_set(
        project_id=project.pk, span_id=span.pk, metric=THUMB, source=END_USER, rater="x", value=1.0
    )
    read = client.get(f"{PATH}{span.pk}/").json()
    for name in ("output", "inputs", "parameters", "messages", "tags", "prompt_version", "session"):
        assert read[name] == whole[name]
    assert [(score["metric"], score["value"]) for score in read["scores"]] == [("thumb", 1.0)]
    page = client.get(PATH, {"limit": 1}).json()
    assert [each["external_id"] for each in page["results"]] == ["a-2"]
    assert client.get(page["next"]).json()["results"][0]["scores"][0]["value"] == 1.0
    assert [each["external_id"] for each in client.get(PATH, {"metric": "thumb"}).json()["results"]] == [
        "a-1"
    ]


def test_the_same_ids_again_change_nothing(client: APIClient, project: Project) -> None:
    post(client, sent("a"), sent("b", trace="t"))
    before = list(Span.objects.order_by("pk").values())
    answer = post(client, sent("b", output="other", trace="t"), sent("a"), sent("c"), sent("c"))
    assert (answer["accepted"], answer["duplicates"]) == (1, 3)
    assert {each["id"]: each["status"] for each in answer["spans"]} == {
        "a": "duplicate",
        "b": "duplicate",
        "c": "accepted",
    }
    assert list(Span.objects.exclude(external_id="c").order_by("pk").values()) == before
    assert Trace.objects.filter(project=project).count() == 3
    costs = set(Span.objects.filter(output="").values_list("cost_usd", flat=True))
    assert costs == {None}, "nobody told the tokens"


def test_bad_spans_are_told_with_their_places_and_good_ones_are_kept(
    client: APIClient, project: Project, other_project: Project
) -> None:
    make_prompt(other_project, "Theirs")
    make_prompt(project, "Ours")
    bad: list[tuple[Any, str]] = [
        ("no object", ""),
        ({"model": "m"}, "id"),
        (sent("nul", output="a\x00b"), "output"),
        (sent("long", output="x" * 400_001), "output"),
        (sent("role", messages=[{"content": "x"}]), "messages"),
        (sent("prompt", prompt="theirs"), "prompt"),
        (sent("version", prompt="ours", prompt_version=7), "prompt_version"),
        (sent("unnamed", prompt_version=7), "prompt"),
        (sent("parent", parent="nobody"), "parent"),
        (sent("grandchild", parent="parent"), "parent"),
        (sent("future", started_at="2999-01-01T00:00:00Z"), "started_at"),
        (sent("typo", ouput="x"), "ouput"),
        (sent("tokens", input_tokens=-1), "input_tokens"),
        (sent("prompt"), "id"),
    ]
    answer = post(client, sent("good"), *(span for span, _ in bad), sent("fine", prompt="ours"))
    told = [(each["index"], each["field"]) for each in answer["rejected"]]
    assert told == [(place, field) for place, (_, field) in enumerate(bad, start=1)]
    assert all(each["error"] for each in answer["rejected"])
    assert set(Span.objects.values_list("external_id", flat=True)) == {"good", "fine"}
    assert Span.objects.get(external_id="fine").prompt is not None


def test_a_request_is_a_list_of_a_thousand_at_most(client: APIClient) -> None:
    assert client.post(PATH, [sent("a")], format="json").status_code == 400
    assert client.post(PATH, {"spans": "a"}, format="json").status_code == 400
    assert post(client, *({"id": str(n)} for n in range(1001)), status=413)["code"] == "too_large"
    assert post(client)["accepted"] == 0
    counts = []
    for many in (10, 1000):
        spans = [sent(f"{many}-{n}", trace=f"t{n % 7}", session="s") for n in range(many)]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert post(client, *spans)["accepted"] == many
        counts.append(len(queries))
    assert counts[0] == counts[1] < 16
    with CaptureQueriesContext(connection) as queries:
        assert len(client.get(PATH, {"limit": 100}).json()["results"]) == 100
    assert len(queries) < 6
