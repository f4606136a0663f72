"""What a hosted fine-tuning costs: trained tokens by the price that OpenAI publishes for them.

Any other provider's price is unknown, and so is the cost: never zero.
"""

from __future__ import annotations

from decimal import Decimal

from apps.training.hosted.methods import base_name, is_openai

_MILLION = Decimal(1_000_000)
#: US dollars per million trained tokens, as OpenAI's page "Pricing" lists them (fine-tuning, standard).
_PER_MILLION: dict[str, Decimal] = {
    "gpt-4.1-nano": Decimal("1.5"),
    "gpt-4.1-mini": Decimal(5),
    "gpt-4.1": Decimal(25),
    "gpt-4o-mini": Decimal(3),
    "gpt-4o": Decimal(25),
    "gpt-3.5-turbo": Decimal(8),
}


def training_cost_usd(model: str, *, base_url: str, trained_tokens: int | None) -> Decimal | None:
    """US dollars for so many billed tokens; None where tokens or price are unknown."""
    if trained_tokens is None or not is_openai(base_url):
        return None
    name = base_name(model)
    families = [family for family in _PER_MILLION if name.startswith(family)]
    if not families:
        return None
    return _PER_MILLION[max(families, key=len)] * trained_tokens / _MILLION
