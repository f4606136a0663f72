"""How the figures of a comparison read, everywhere: means, differences, intervals, p-values.

A metric is a mapping as a comparison's figures hold it (`scale`, `unit`, `level`, `difference`, `ci_low`,
`ci_high`). Binary metrics are shares: their means read as percent, their differences as percentage points.
Latency is in milliseconds and cost in US dollars (`unit` "ms" and "usd").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from apps.core import figures

Metric = Mapping[str, Any]

#: What a sum of floats may be off zero by.
ROUNDING = 1e-9
_LEVEL = 0.05
_MINUS = "\N{MINUS SIGN}"


def is_share(metric: Metric) -> bool:
    """True for a metric whose mean is a share of the examples; a yes or no of a whole run is none."""
    return metric.get("scale") == "binary" and metric.get("level", "item") != "run"


def mean(metric: Metric, value: float | None) -> str:
    """A run's mean: "56.4%", "0.612", "812 ms", "$0.0021"; a dash for what is missing."""
    if value is None:
        return figures.MISSING
    if is_share(metric):
        return f"{100 * value:.1f}%".replace("-", _MINUS)
    if metric.get("scale") == "binary":
        return "yes" if value else "no"
    read = _MEASURES.get(metric.get("unit") or "")
    return read(value) if read else _with_unit(figures.score(value), metric)


def amount(metric: Metric, value: float | None = None) -> str:
    """The difference (or `value`) with sign and unit: "+4.3 points", "+0.050", "−172 ms"."""
    given = metric.get("difference") if value is None else value
    text = bare(metric, given)
    if given is None:
        return text
    if is_share(metric):
        return f"{text} points"
    return text if metric.get("unit") in _MEASURES else _with_unit(text, metric)


def size(metric: Metric, value: float) -> str:
    """How large `value` is, whichever way it goes, with its unit: "4.3 points"."""
    return amount(metric, abs(value)).removeprefix("+")


def bare(metric: Metric, value: float | None) -> str:
    """A difference with its sign, scores without unit: "+4.3". What is not zero never reads as zero."""
    if value is None:
        return figures.MISSING
    read = _MEASURES.get(metric.get("unit") or "")
    if read is not None:
        text = read(value)
        return f"+{text}" if value > 0 and text not in ("0 ms", "$0") else text
    if is_share(metric):
        return _points(100 * value)
    text = figures.signed(value)
    return text if abs(value) < ROUNDING or text != figures.signed(0.0) else _short(value)


def interval(metric: Metric, low: float | None = None, high: float | None = None) -> str:
    """The 95% interval (or the one from `low` to `high`): "[+1.5, +7.1]"; "" where there is none."""
    text = ends(metric, ", ", low, high)
    return f"[{text}]" if text else ""


def ends(metric: Metric, between: str, low: float | None = None, high: float | None = None) -> str:
    """Both ends of the interval with their signs and no unit: "+1.5 to +7.1"; "" where there is none."""
    low = metric.get("ci_low") if low is None else low
    high = metric.get("ci_high") if high is None else high
    if low is None or high is None:
        return ""
    return f"{bare(metric, low)}{between}{bare(metric, high)}"


def difference(metric: Metric) -> str:
    """The difference with its interval: "+4.3 points [+1.5, +7.1]"."""
    return f"{amount(metric)} {interval(metric)}".strip()


def p_value(value: float | None) -> str:
    """A probability with two figures: "0.031", "0.003", "0.42"; under one in a thousand "< 0.001".

    What is not 0.05 never reads as 0.05: on which side it lies decides ("0.0496").
    """
    if value is None:
        return figures.MISSING
    if value < 0.001:
        return "< 0.001"
    if value >= 0.1:
        return f"{value:.2f}"
    texts = (f"{value:.{places}f}" for places in range(3, 9))
    return next((text for text in texts if value == _LEVEL or float(text) != _LEVEL), f"{value:.3f}")


def p_equals(value: float) -> str:
    """A p-value inside a sentence: "p = 0.003", "p < 0.001"."""
    text = p_value(value)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def share(value: float | None) -> str:
    """A share as percent: "56.4%"."""
    return figures.MISSING if value is None else f"{100 * value:.1f}%"


def percent_change(value: float) -> str:
    """A relative change: "−21%", "+0.4%"; what is not zero has a sign."""
    places = 0 if abs(value) >= 0.095 else 1
    text = f"{100 * value:+.{places}f}%"
    return "0%" if float(text[:-1]) == 0 else text.replace("-", _MINUS)


def typed(metric: Metric, text: str) -> float | None:
    """A size that a person typed in the metric's unit (points for shares), as the figures have it.

    None for what is no number above zero.
    """
    try:
        value = float(text.replace(_MINUS, "-").replace(",", ".").strip().rstrip("%"))
    except ValueError:
        return None
    if not 1e-9 <= value < 1e12:
        return None
    return value / 100 if is_share(metric) else value


def unit_word(metric: Metric) -> str:
    """What sizes of the metric are typed in: "points", its unit, or "" where it has none."""
    return "points" if is_share(metric) else str(metric.get("unit") or "")


def _points(value: float) -> str:
    text = f"{value:+.1f}"
    if float(text) != 0:
        return text.replace("-", _MINUS)
    return "0.0" if abs(value) < ROUNDING else _short(value)


def _short(value: float) -> str:
    """One significant figure without an exponent: +0.0004."""
    places = next((places for places in range(2, 12) if round(abs(value), places) > 0), 12)
    return f"{value:+.{places}f}".replace("-", _MINUS)


def _with_unit(text: str, metric: Metric) -> str:
    return f"{text} {metric['unit']}" if metric.get("unit") else text


def _milliseconds(value: float) -> str:
    return figures.duration(value / 1000)


_MEASURES: dict[str, Callable[[float], str]] = {"ms": _milliseconds, "usd": figures.money}
