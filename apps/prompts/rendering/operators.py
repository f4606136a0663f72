"""Binary operators that pay for their result before they make it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from .budget import MAX_INTEGER_BITS, Budget, measure
from .errors import SizeLimitExceeded, TemplateRefused

MAX_FORMAT_WIDTH = 1_000
_SPECIFIER = re.compile(
    r"%(?:\([^)]*\))?[-#0 +]*(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d+))?[hlL]?.",
    re.DOTALL,
)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
INTERCEPTED = frozenset(_OPERATORS)


def apply(budget: Budget, symbol: str, left: Any, right: Any) -> Any:
    """`left symbol right`, refused when the result would be too large."""
    if type(left) is int and type(right) is int:
        _check_integers(symbol, left, right)
    elif symbol == "*":
        _check_repetition(budget, left, right)
    elif symbol == "%" and isinstance(left, str):
        check_format(budget, left, right)
    return budget.account(_OPERATORS[symbol](left, right))


def check_format(budget: Budget, template: str, values: Any) -> None:
    """Pay for `template % values` beforehand; widths that are very large or computed are refused."""
    count = 0
    for specifier in _SPECIFIER.finditer(template):
        count += 1
        for size in (specifier["width"], specifier["precision"]):
            if size == "*":
                raise TemplateRefused("a width written as * cannot be used in a format")
            if size and (len(size) > 4 or int(size) > MAX_FORMAT_WIDTH):
                raise SizeLimitExceeded(f"a format is wider than {MAX_FORMAT_WIDTH:,} characters")
    budget.spend(len(template) + count * (MAX_FORMAT_WIDTH + measure(values)[0]))


def _check_integers(symbol: str, left: int, right: int) -> None:
    bits = left.bit_length() + right.bit_length()
    if symbol == "**":
        bits = left.bit_length() * max(right, 1)
    if symbol in ("**", "*", "+") and bits > MAX_INTEGER_BITS:
        raise SizeLimitExceeded(f"{symbol} would make a number of more than {MAX_INTEGER_BITS:,} bits")


def _check_repetition(budget: Budget, left: Any, right: Any) -> None:
    for sequence, times in ((left, right), (right, left)):
        if isinstance(sequence, str | list | tuple) and isinstance(times, int):
            budget.spend(max(times, 0) * max(measure(sequence)[0], 1))
