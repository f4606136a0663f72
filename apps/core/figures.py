"""How numbers read: one way for counts, times, money and scores. Plain text, no HTML.

What is missing reads as a dash and never as a zero.
"""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

MISSING = "–"
_MINUS = "\N{MINUS SIGN}"
_NO_MONEY = 5e-13  # US dollars: less is the rounding of a sum


def _float(value: Any) -> float | None:
    """The value as a finite float; None for what is missing or is no number."""
    if value is None or value == "":
        return None
    try:
        number_ = float(value)
    except (TypeError, ValueError):
        return None
    return number_ if math.isfinite(number_) else None


def number(value: Any) -> str:
    """A count with thousands separated: 12,345. A fraction keeps at most two decimals."""
    amount = _float(value)
    if amount is None:
        return MISSING
    if isinstance(value, int) or amount == int(amount):
        text = f"{int(value) if isinstance(value, int) else int(amount):,}"
    else:
        text = f"{amount:,.2f}".rstrip("0").rstrip(".")
    return text.replace("-", _MINUS)


def duration(value: Any) -> str:
    """Seconds (or a timedelta) with the unit that suits: 812 ms, 4.2 s, 3 min 12 s, 2 h 5 min."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else _float(value)
    if seconds is None:
        return MISSING
    if seconds < 0:
        length = duration(-seconds)
        return length if length == "0 ms" else f"{_MINUS}{length}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for (name, size), (next_name, next_size) in pairwise(units):
        if whole >= size:
            rest = whole % size // next_size
            return f"{whole // size} {name} {rest} {next_name}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def money(value: Any) -> str:
    """US dollars: $1,234.56; below a cent two significant figures: $0.0021. Missing: the price is unknown."""
    amount = _float(value)
    if amount is None:
        return MISSING
    sign, amount = (_MINUS if amount < 0 else ""), abs(amount)
    if amount < _NO_MONEY:
        return "$0"
    if amount >= 0.01:
        return f"{sign}${amount:,.2f}"
    places = 1 - math.floor(math.log10(amount))
    exact = Decimal(repr(amount))
    return f"{sign}${exact:.{min(places, 12)}f}"


def score(value: Any) -> str:
    """A score with three decimals; fewer from ten on, so that the digits shown stay about the same."""
    amount = _float(value)
    if amount is None:
        return MISSING
    decimals = 3 if abs(amount) < 10 else 2 if abs(amount) < 100 else 1
    text = f"{amount:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", _MINUS)


def signed(value: Any) -> str:
    """A difference of scores with its sign: +0.050, −0.012, 0.000."""
    text = score(value)
    amount = _float(value)
    return f"+{text}" if amount is not None and amount > 0 and float(text) != 0 else text
