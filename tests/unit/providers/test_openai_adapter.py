"""The OpenAI adapter against a real server on loopback: what it sends, and what it makes of answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.providers.connection import ProviderConnection
from apps.providers.protocol import (
    CompletionDelta,
    CompletionRequest,
    ErrorKind,
    Message,
    Parameters,
    ProviderError,
    ToolCall,
)
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.unit.providers.conftest import chat, complete, connection_to, failure, run_with

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}


def test_an_answer_has_text_tokens_and_duration(connection: ProviderConnection) -> None:
    response = complete(connection, chat("good day to you", system="Be short."))
    assert response.text == "good day to you"
    assert (response.input_tokens, response.output_tokens) == (6, 4)
    assert response.finish_reason == "stop"
    assert response.model == "loop-small"
    assert response.time_to_first_token_s is None
    assert 0 < response.duration_s < 10
    assert response.raw["id"] == "chatcmpl-loopback"


def test_parameters_are_sent_as_chat_completions_name_them(
    connection: ProviderConnection, loopback_provider: LoopbackProvider
) -> None:
    request = CompletionRequest(
        model="loop-small",
        messages=(
            Message("user", "hi", name="ann"),
            Message("assistant", "", tool_calls=(ToolCall("call_1", "weather", "{}"),)),
            Message("tool", "rain", tool_call_id="call_1"),
        ),
        parameters=Parameters("loop/loop-small", 0.5, 0.9, 30, ("END",), 7, {"top_k": 4}),
        tools=(WEATHER,),
        response_schema={"type": "object"},
    )
    complete(connection, request)
    sent = loopback_provider.completions[0].body
    assert sent["messages"][0] == {"role": "user", "content": "hi", "name": "ann"}
    assert sent["messages"][1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": "{}"}
    assert sent["messages"][2] == {"role": "tool", "content": "rain", "tool_call_id": "call_1"}
    assert {name: sent[name] for name in ("temperature", "top_p", "max_tokens", "stop", "seed", "top_k")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 30,
        "stop": ["END"],
        "seed": 7,
        "top_k": 4,
    }
    assert sent["tools"] == [WEATHER]
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_what_is_not_set_is_not_sent(
    connection: ProviderConnection, loopback_provider: LoopbackProvider
) -> None:
    complete(connection, chat("hi"))
    assert set(loopback_provider.completions[0].body) == {"model", "messages"}


def test_tool_calls_come_back(connection: ProviderConnection, loopback_provider: LoopbackProvider) -> None:
    loopback_provider.behaviour = Behaviour(tool_calls=[CALL], finish_reason="tool_calls")
    response = complete(connection, chat("weather?"))
    assert response.tool_calls == (ToolCall("call_1", "weather", '{"city": "Oslo"}'),)
    assert (response.text, response.finish_reason) == ("", "tool_calls")


def test_missing_usage_is_unknown_not_zero(
    connection: ProviderConnection, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = Behaviour(usage=False)
    response = complete(connection, chat("hi"))
    assert response.input_tokens is None
    assert response.output_tokens is None


def test_text_that_a_database_cannot_keep_is_replaced(
    connection: ProviderConnection, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = Behaviour(reply=lambda _: "a\x00b\ud800c")
    assert complete(connection, chat("hi")).text == "a\ufffdb?c"


def test_a_streamed_answer_tells_its_time_to_first_token(connection: ProviderConnection) -> None:
    async def collect(adapter: Any) -> list[CompletionDelta]:
        return [delta async for delta in adapter.stream(chat("one two three"))]

    *pieces, last = run_with(connection, collect)
    assert "".join(piece.text for piece in pieces) == "one two three"
    assert len(pieces) == 3
    assert last.response.text == "one two three"
    assert (last.response.input_tokens, last.response.output_tokens) == (3, 3)
    assert 0 < last.response.time_to_first_token_s <= last.response.duration_s


def test_streamed_tool_calls_are_put_together(
    connection: ProviderConnection, loopback_provider: LoopbackProvider
) -> None:
    async def collect(adapter: Any) -> list[CompletionDelta]:
        return [delta async for delta in adapter.stream(chat("weather?"))]

    loopback_provider.behaviour = Behaviour(tool_calls=[CALL], finish_reason="tool_calls")
    last = run_with(connection, collect)[-1]
    assert last.response.tool_calls == (ToolCall("call_1", "weather", '{"city": "Oslo"}'),)


def test_models_are_listed_with_their_windows(connection: ProviderConnection) -> None:
    listings = run_with(connection, lambda adapter: adapter.list_models())
    assert [(listing.name, listing.context_window) for listing in listings] == [
        ("loop-large", 4096),
        ("loop-small", 4096),
    ]


@pytest.mark.parametrize(
    ("mode", "kind", "status", "words"),
    [
        ("401", ErrorKind.AUTHENTICATION, 401, "key is wrong"),
        ("403", ErrorKind.AUTHENTICATION, 403, "not for this call"),
        ("404", ErrorKind.BAD_REQUEST, 404, "does the URL end in /v1"),
        ("429", ErrorKind.RATE_LIMITED, 429, "rate limit"),
        ("quota", ErrorKind.QUOTA, 429, "no quota left"),
        ("500", ErrorKind.OVERLOADED, 500, "overloaded (500)"),
        ("503", ErrorKind.OVERLOADED, 503, "overloaded (503)"),
        ("context", ErrorKind.CONTEXT_LENGTH, 400, "longer than the model's context"),
        ("filter", ErrorKind.CONTENT_FILTER, 400, "content filter"),
        ("bad-request", ErrorKind.BAD_REQUEST, 400, "temperature must be at most 2"),
        ("reset", ErrorKind.CONNECTION, None, "broke off"),
        ("truncated", ErrorKind.CONNECTION, None, "broke off"),
        ("garbage", ErrorKind.BAD_RESPONSE, None, "not with JSON"),
        ("not-json", ErrorKind.BAD_RESPONSE, None, "not with JSON"),
        ("empty", ErrorKind.BAD_RESPONSE, None, "no choices"),
        ("redirect", ErrorKind.BAD_REQUEST, 307, "not followed"),
    ],
)
def test_each_failure_has_its_kind_and_plain_words(
    connection: ProviderConnection,
    loopback_provider: LoopbackProvider,
    mode: str,
    kind: ErrorKind,
    status: int | None,
    words: str,
) -> None:
    loopback_provider.behaviour = Behaviour(mode=mode)
    error = failure(connection)
    assert (error.kind, error.status) == (kind, status)
    assert words in error.message
    assert len(loopback_provider.calls) == 1  # the engine retries, not the SDK


def test_an_unknown_model_is_named(connection: ProviderConnection) -> None:
    error = failure(connection, chat("hi", model="loop-huge"))
    assert error.kind is ErrorKind.UNKNOWN_MODEL
    assert "loop-huge" in error.message


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_a_call_ends_at_its_timeout(loopback_provider: LoopbackProvider, mode: str) -> None:
    loopback_provider.behaviour = Behaviour(mode=mode)
    error = failure(connection_to(loopback_provider.base_url, timeout_s=1))
    assert error.kind is ErrorKind.TIMEOUT
    assert "within 1 seconds" in error.message


def test_nothing_listening_says_so() -> None:
    error = failure(connection_to("http://127.0.0.1:9/v1"))
    assert error.kind is ErrorKind.CONNECTION
    assert "connection refused" in error.message


def test_an_unknown_host_says_so() -> None:
    error = failure(connection_to("http://no-such-host.invalid/v1"))
    assert error.kind is ErrorKind.CONNECTION
    assert "not known" in error.message


def test_https_to_a_plain_server_is_a_tls_error(loopback_provider: LoopbackProvider) -> None:
    error = failure(connection_to(loopback_provider.base_url.replace("http:", "https:")))
    assert error.kind is ErrorKind.CONNECTION
    assert "TLS" in error.message


def test_retry_after_is_passed_on(
    connection: ProviderConnection, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = Behaviour(mode="429", retry_after="7")
    assert failure(connection).retry_after_s == 7.0


def test_one_pool_serves_many_calls_and_no_more_than_allowed(loopback_provider: LoopbackProvider) -> None:
    loopback_provider.behaviour = Behaviour(latency_s=0.05)
    connection = connection_to(loopback_provider.base_url, max_concurrency=3)

    async def many(adapter: Any) -> list[str]:
        answers = await asyncio.gather(*(adapter.complete(chat(f"call {number}")) for number in range(12)))
        return [answer.text for answer in answers]

    assert run_with(connection, many) == [f"call {number}" for number in range(12)]
    assert loopback_provider.most_at_once == 3


def test_a_refused_base_url_never_gets_a_client() -> None:
    error = failure(connection_to("http://169.254.169.254/v1"))
    assert error.kind is ErrorKind.BAD_REQUEST
    assert isinstance(error, ProviderError)
