"""What calls cost: overrides, list prices, free kinds, and what is unknown."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.providers.connection import FAKE, LOCAL, OPENAI
from apps.providers.prices import FREE, Price, cost_usd, list_price

OPENAI_URL = "https://api.openai.com/v1"


def _cost(name: str, kind: str = OPENAI, base_url: str = OPENAI_URL, **rest: object) -> Decimal | None:
    tokens = {"input_tokens": 1_000_000, "output_tokens": 100_000, **rest}
    return cost_usd(name, kind=kind, base_url=base_url, **tokens)  # type: ignore[arg-type]


def test_the_list_price_of_a_known_model_holds() -> None:
    assert _cost("gpt-4o-mini") == Decimal("0.21")
    assert list_price("gpt-4o-mini", kind=OPENAI, base_url=OPENAI_URL) == Price(
        Decimal("0.15"), Decimal("0.6")
    )


def test_an_override_comes_first_for_every_kind() -> None:
    override = Price(Decimal(2), Decimal(10))
    assert _cost("gpt-4o-mini", override=override) == Decimal(3)
    assert _cost("smollm2", LOCAL, "", override=override) == Decimal(3)


@pytest.mark.parametrize("kind", [LOCAL, FAKE])
def test_local_and_fake_calls_are_free(kind: str) -> None:
    assert _cost("gpt-4o-mini", kind, "") == 0
    assert _cost("gpt-4o-mini", kind, "", input_tokens=None) == 0
    assert list_price("gpt-4o-mini", kind=kind, base_url="") == FREE


def test_what_nobody_knows_is_unknown_and_not_zero() -> None:
    assert _cost("no-such-model") is None
    assert _cost("gpt-4o-mini", base_url="http://10.0.0.1:8000/v1") is None  # somebody else's server
    assert list_price("no-such-model", kind=OPENAI, base_url=OPENAI_URL) is None


def test_unknown_token_counts_make_an_unknown_cost() -> None:
    assert _cost("gpt-4o-mini", output_tokens=None) is None
    assert _cost("x", override=Price(Decimal(1), Decimal(1)), input_tokens=None) is None


def test_no_tokens_cost_nothing() -> None:
    assert _cost("gpt-4o-mini", input_tokens=0, output_tokens=0) == 0
