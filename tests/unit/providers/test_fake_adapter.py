"""The fake provider does what its list of models says, every time the same."""

from __future__ import annotations

import asyncio

import pytest

from apps.providers.adapters.fake import MODELS, FakeAdapter
from apps.providers.connection import FAKE, ProviderConnection
from apps.providers.protocol import Adapter, CompletionRequest, ErrorKind, ProviderError
from tests.unit.providers.conftest import chat

CONNECTION = ProviderConnection(provider_id="f", slug="fake", kind=FAKE, timeout_s=1)


def _text(request: CompletionRequest) -> str:
    return asyncio.run(FakeAdapter(CONNECTION).complete(request)).text


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("echo", "one Two"),
        ("upper", "ONE TWO"),
        ("reverse", "owT eno"),
        ("count", "2"),
        ("json", '{"answer": "one Two", "words": 2}'),
        ("script", "one Two"),
    ],
)
def test_each_model_answers_by_its_rule(model: str, answer: str) -> None:
    assert _text(chat("one Two", model=model, system="ignored")) == answer


def test_it_satisfies_the_protocol() -> None:
    assert isinstance(FakeAdapter(CONNECTION), Adapter)


def test_every_model_is_listed_and_known() -> None:
    listed = asyncio.run(FakeAdapter(CONNECTION).list_models())
    assert [listing.name for listing in listed] == list(MODELS)


def test_a_script_maps_messages_to_answers() -> None:
    script = {"replies": {"hi": "hello"}, "default": "what?"}
    assert _text(chat("hi", model="script", extra=script)) == "hello"
    assert _text(chat("bye", model="script", extra=script)) == "what?"


@pytest.mark.parametrize(
    "kind", [kind for kind in ErrorKind if kind not in (ErrorKind.UNKNOWN_MODEL, ErrorKind.BAD_REQUEST)]
)
def test_there_is_a_model_for_each_kind_of_failure(kind: ErrorKind) -> None:
    kinds = []
    for model in (name for name in MODELS if name.startswith("error-")):
        with pytest.raises(ProviderError) as caught:
            _text(chat("hi", model=model))
        kinds.append(caught.value.kind)
    assert kind in kinds


def test_flaky_fails_once_for_each_message() -> None:
    adapter = FakeAdapter(CONNECTION)

    async def twice(text: str) -> str:
        with pytest.raises(ProviderError):
            await adapter.complete(chat(text, model="flaky"))
        return (await adapter.complete(chat(text, model="flaky"))).text

    assert asyncio.run(twice("a")) == "a"
    assert asyncio.run(twice("b")) == "b"


def test_limits_and_stops_are_kept() -> None:
    response = asyncio.run(
        FakeAdapter(CONNECTION).complete(chat("one two  three four", model="echo", max_tokens=3))
    )
    assert (response.text, response.finish_reason, response.output_tokens) == ("one two  three", "length", 3)
    assert _text(chat("one. two", model="echo", stop=(".",))) == "one"


def test_a_latency_beyond_the_timeout_is_a_timeout() -> None:
    with pytest.raises(ProviderError) as caught:
        _text(chat("hi", model="echo", extra={"latency_s": 5}))
    assert caught.value.kind is ErrorKind.TIMEOUT


@pytest.mark.parametrize("latency", ["1", -1, True, 1e9, None])
def test_a_latency_that_is_no_number_is_refused(latency: object) -> None:
    with pytest.raises(ProviderError) as caught:
        _text(chat("hi", model="echo", extra={"latency_s": latency}))
    assert caught.value.kind is ErrorKind.BAD_REQUEST


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ProviderError, match="echo, upper") as caught:
        _text(chat("hi", model="nope"))
    assert caught.value.kind is ErrorKind.UNKNOWN_MODEL
