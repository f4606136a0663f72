"""Spans with values that no honest application sends: each bad one is told of, the good ones are kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from apps.core.roles import Role
from apps.traces.models import Span

pytestmark = pytest.mark.django_db
PATH = "/api/v1/spans/"
#: As they are written in a body, since no JSON library writes half of a surrogate pair or a long number.
BAD = {
    "half a pair as id": r'{"id": "\ud800"}',
    "half a pair as kind": r'{"id": "b", "kind": "\ud800"}',
    "half a pair as field": r'{"id": "b", "\ud800": 1}',
    "half a pair as id of a bad one": r'{"id": "\ud800", "kind": "x"}',
    "half a pair in a message": r'{"id": "b", "messages": [{"role": "user", "content": "\ud800"}]}',
    "NUL": r'{"id": "b", "output": "\u0000"}',
    "NUL in a tag": r'{"id": "b", "tags": ["\u0000"]}',
    "NaN as duration": '{"id": "b", "duration_ms": "NaN"}',
    "infinite duration": '{"id": "b", "time_to_first_token_ms": 1e999}',
    "infinite cost": '{"id": "b", "cost_usd": "Infinity"}',
    "many tokens": '{"id": "b", "input_tokens": 99999999999999999999}',
    "high version": '{"id": "b", "prompt": "p", "prompt_version": 99999999999999999999}',
    "beyond all time": '{"id": "b", "started_at": "9999-12-31T23:59:59-23:59"}',
    "before all time": '{"id": "b", "started_at": "0001-01-01T00:00:00+23:59"}',
    "its own parent": '{"id": "b", "parent": "b"}',
    "infinite value": '{"id": "b", "inputs": {"a": 1e999}}',
    "list as id": '{"id": ["b"]}',
    "nothing": "null",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_span_is_told_of_and_the_good_one_is_kept(
    api_client: Callable[[Role], APIClient], bad: str
) -> None:
    body = '{"spans": [{"id": "good"}, ' + bad + "]}"
    response = api_client(Role.EDITOR).post(PATH, body, content_type="application/json")
    assert response.status_code == 200, response.content
    assert [each["index"] for each in response.json()["rejected"]] == [1], response.content
    assert list(Span.objects.values_list("external_id", flat=True)) == ["good"]
