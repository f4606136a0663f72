"""What is known of hosted models before anything is sent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.training.hosted.costs import training_cost_usd
from apps.training.hosted.methods import hosted_methods

ELSEWHERE = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("model", "methods"),
    [
        ("gpt-4o-mini-2024-07-18", ("sft", "dpo")),
        ("gpt-4.1-nano", ("sft", "dpo")),
        ("ft:gpt-4o-2024-08-06:org:tone:abc", ("sft", "dpo")),
        ("gpt-3.5-turbo-0125", ("sft",)),
        ("gpt-4o-mini-tts", ()),
        ("text-embedding-3-small", ()),
        ("o3", ()),
    ],
)
def test_openai_trains_some_of_its_models(model: str, methods: tuple[str, ...]) -> None:
    assert hosted_methods(model) == methods


def test_another_server_says_itself_what_it_trains() -> None:
    assert hosted_methods("anything", ELSEWHERE) == ("sft", "dpo")


def test_trained_tokens_cost_by_the_published_price() -> None:
    assert training_cost_usd("gpt-4o-mini-2024-07-18", base_url="", trained_tokens=500_000) == Decimal("1.5")
    assert training_cost_usd("gpt-4o-2024-08-06", base_url="", trained_tokens=1_000_000) == 25


@pytest.mark.parametrize(
    ("model", "base_url", "tokens"),
    [("gpt-4o", ELSEWHERE, 10), ("gpt-4o", "", None), ("some-new-model", "", 10)],
)
def test_what_is_not_known_is_not_zero(model: str, base_url: str, tokens: int | None) -> None:
    assert training_cost_usd(model, base_url=base_url, trained_tokens=tokens) is None
