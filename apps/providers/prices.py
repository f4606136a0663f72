"""What a call costs, in US dollars.

A price typed in for the model comes first; the embedded and the fake provider cost nothing; else
genai-prices knows the list price by the endpoint's address and the model's name. What it does not
know is unknown (None), never zero: a self-hosted server has a cost that nobody told us.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from apps.providers.connection import DEFAULT_BASE_URL, OPENAI

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input_per_million: Decimal
    output_per_million: Decimal


FREE = Price(Decimal(0), Decimal(0))


def cost_usd(
    model_name: str,
    *,
    kind: str,
    base_url: str,
    input_tokens: int | None,
    output_tokens: int | None,
    override: Price | None = None,
) -> Decimal | None:
    """The cost of one call in US dollars, or None when the price or the token counts are unknown."""
    if override is None and kind != OPENAI:
        return Decimal(0)
    if input_tokens is None or output_tokens is None:
        return None
    if override is not None:
        return _times(override, input_tokens, output_tokens)
    return _list_cost(model_name, base_url or DEFAULT_BASE_URL, input_tokens, output_tokens)


def list_price(model_name: str, *, kind: str, base_url: str) -> Price | None:
    """The price without an override, for showing beside a model; None when unknown.

    Of a price that rises with the length of the context, the lowest step.
    """
    if kind != OPENAI:
        return FREE
    return _list_price(model_name, base_url or DEFAULT_BASE_URL)


@lru_cache(maxsize=4096)
def _list_price(model_name: str, base_url: str) -> Price | None:
    step = 1000  # tokens: below any step at which a price changes
    input_cost = _list_cost(model_name, base_url, step, 0)
    output_cost = _list_cost(model_name, base_url, 0, step)
    if input_cost is None or output_cost is None:
        return None
    return Price(input_cost * _MILLION / step, output_cost * _MILLION / step)


def _list_cost(model_name: str, base_url: str, input_tokens: int, output_tokens: int) -> Decimal | None:
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        found = calc_price(usage, model_name, provider_api_url=base_url)
    except LookupError:
        return None
    prices = found.model_price
    if prices.input_mtok is None or prices.output_mtok is None:
        return None
    return Decimal(found.total_price)


def _times(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    return (price.input_per_million * input_tokens + price.output_per_million * output_tokens) / _MILLION
