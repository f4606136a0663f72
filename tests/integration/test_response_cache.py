"""Answers are kept under everything that shapes them, given again, counted, and forgotten by age."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core.models import Project
from apps.evaluations.engine.response_cache import KEPT_FOR, cache_key, forget_all, forget_old, keep, lookup
from apps.evaluations.models import CachedResponse
from apps.providers.connection import OPENAI, ProviderConnection
from apps.providers.protocol import CompletionRequest, CompletionResponse, Message, Parameters, ToolCall

PROVIDER = ProviderConnection(
    provider_id="p", slug="own", kind=OPENAI, base_url="http://host/v1", api_key="a"
)
REQUEST = CompletionRequest(
    model="small",
    messages=(Message("system", "Be short."), Message("user", "What is 1 + 1?")),
    parameters=Parameters(model="own/small", temperature=0.2, stop=("\n",), extra={"top_k": 4}),
    tools=({"type": "function", "function": {"name": "add"}},),
    response_schema={"type": "object"},
)
ANSWER = CompletionResponse(
    text="Two – é",
    tool_calls=(ToolCall("1", "add", '{"a": 1}'),),
    finish_reason="stop",
    input_tokens=9,
    output_tokens=None,
    time_to_first_token_s=None,
    duration_s=0.5,
    model="small-2026",
    raw={"id": "x"},
)


def test_the_key_is_the_same_for_the_same_call_whatever_the_order_or_the_credential() -> None:
    key = cache_key(REQUEST, PROVIDER, 1)
    assert len(key) == 32
    other = replace(PROVIDER, api_key="b", max_concurrency=1, timeout_s=3)
    again = replace(REQUEST, parameters=replace(REQUEST.parameters, extra=dict(reversed([("top_k", 4)]))))
    assert cache_key(again, other, 1) == key


@pytest.mark.parametrize(
    ("request_", "provider", "repetition"),
    [
        (replace(REQUEST, model="large"), PROVIDER, 1),
        (replace(REQUEST, messages=REQUEST.messages[1:]), PROVIDER, 1),
        (replace(REQUEST, messages=(*REQUEST.messages, Message("user", ""))), PROVIDER, 1),
        (replace(REQUEST, parameters=replace(REQUEST.parameters, temperature=0.3)), PROVIDER, 1),
        (replace(REQUEST, parameters=replace(REQUEST.parameters, seed=1)), PROVIDER, 1),
        (replace(REQUEST, tools=()), PROVIDER, 1),
        (replace(REQUEST, response_schema=None), PROVIDER, 1),
        (REQUEST, replace(PROVIDER, provider_id="q"), 1),
        (REQUEST, replace(PROVIDER, base_url="http://other/v1"), 1),
        (REQUEST, PROVIDER, 2),
    ],
)
def test_whatever_shapes_the_answer_changes_the_key(
    request_: CompletionRequest, provider: ProviderConnection, repetition: int
) -> None:
    assert cache_key(request_, provider, repetition) != cache_key(REQUEST, PROVIDER, 1)


@pytest.mark.django_db
class TestKept:
    def test_an_answer_comes_back_as_it_was_and_is_counted(self, project: Project) -> None:
        key = cache_key(REQUEST, PROVIDER, 1)
        assert lookup(project, [key]) == {}
        keep(project, [(key, ANSWER)])
        assert lookup(project, [key, key, b"x" * 32]) == {key: replace(ANSWER, raw={})}
        kept = CachedResponse.objects.get()
        assert (kept.hits, kept.last_hit_at is not None) == (1, True)

    def test_the_first_answer_stays(self, project: Project) -> None:
        keep(project, [(b"k" * 32, ANSWER), (b"k" * 32, replace(ANSWER, text="three"))])
        kept = lookup(project, [b"k" * 32])[b"k" * 32].text
        keep(project, [(b"k" * 32, replace(ANSWER, text="four"))])
        assert lookup(project, [b"k" * 32])[b"k" * 32].text == kept

    def test_a_project_has_its_own_answers(self, project: Project, other_project: Project) -> None:
        keep(project, [(b"k" * 32, ANSWER)])
        assert lookup(other_project, [b"k" * 32]) == {}
        assert lookup(project.pk, [b"k" * 32])

    def test_many_are_one_query_each_way(self, project: Project, django_assert_num_queries: Any) -> None:
        rows = [(number.to_bytes(32, "big"), ANSWER) for number in range(500)]
        with django_assert_num_queries(1):
            keep(project, rows)
        with django_assert_num_queries(1):
            assert len(lookup(project, [key for key, _ in rows])) == 500

    @pytest.mark.parametrize("text", ["nul \x00", "half \ud800"])
    def test_what_the_database_cannot_hold_is_not_kept(self, project: Project, text: str) -> None:
        keep(project, [(b"k" * 32, replace(ANSWER, text=text)), (b"l" * 32, ANSWER)])
        assert set(lookup(project, [b"k" * 32, b"l" * 32])) == {b"l" * 32}

    def test_what_nobody_used_for_long_is_forgotten(self, project: Project) -> None:
        keep(project, [(bytes([number]) * 32, ANSWER) for number in range(3)])
        long_ago = timezone.now() - KEPT_FOR - timedelta(days=1)
        first, second, _ = CachedResponse.objects.order_by("key")
        CachedResponse.objects.filter(pk__in=[first.pk, second.pk]).update(created_at=long_ago)
        CachedResponse.objects.filter(pk=second.pk).update(last_hit_at=timezone.now())
        assert forget_old() == 1
        assert not CachedResponse.objects.filter(pk=first.pk).exists()
        assert forget_all(project) == 2
