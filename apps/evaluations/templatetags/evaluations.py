"""How figures of runs and comparisons read."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import figures
from apps.evaluations.comparisons import words as comparison_words
from apps.evaluations.error_words import ERROR_WORDS

register = template.Library()
#: How a comparison's figures read; `metric` is a mapping as its figures hold it.
register.filter("amount", comparison_words.amount)  # {{ metric|amount }}, {{ metric|amount:value }}
register.filter("interval", comparison_words.interval)
register.filter("mean_of", comparison_words.mean)  # {{ metric|mean_of:value }}
register.filter("p_value", comparison_words.p_value)
register.filter("size", comparison_words.size)
register.filter("share", comparison_words.share)
register.filter("percent_change", comparison_words.percent_change)
#: A key that was made from the example's inputs says nothing to a person.
_MADE_KEY = re.compile(r"[0-9a-f]{24}$")

_WORDS = {
    **ERROR_WORDS,
    "stop": "the model had finished",
    "length": "the limit of tokens was reached",
    "tool_calls": "the model called a tool",
}


@register.filter
def example_name(item: Any) -> str:
    """How a table calls an example: by the key its author gave it, else by its place in the run."""
    return f"#{item.position}" if _MADE_KEY.match(item.example_key) else str(item.example_key)


@register.filter
def ms(value: Any) -> str:
    """Milliseconds in the unit that suits: 812 ms, 4.2 s."""
    return figures.MISSING if value is None else figures.duration(float(value) / 1000)


@register.filter
def time_left(seconds: float) -> str:
    """An estimate of the time left; it is never so exact that fractions of a second would mean anything."""
    if seconds < 1:
        return "less than a second left"
    return f"about {round(seconds)} s left" if seconds < 10 else f"about {figures.duration(seconds)} left"


@register.filter
def ms_signed(value: Any) -> str:
    """A difference of milliseconds with its sign: +812 ms, −4.2 s."""
    text = ms(value)
    return f"+{text}" if value is not None and float(value) > 0 and text != "0 ms" else text


@register.filter
def money_signed(value: Any) -> str:
    """A difference of US dollars with its sign: +$0.0021."""
    text = figures.money(value)
    return f"+{text}" if value is not None and float(value) > 0 and text != "$0" else text


@register.filter
def summary_mean(metric: Any) -> str:
    """A run's metric with its interval, as comparisons write means: "56.4% [53.7%, 59.1%]"."""
    described = {"scale": metric.scale, "unit": metric.unit}
    text = comparison_words.mean(described, metric.mean)
    if metric.ci_low is None or metric.ci_high is None:
        return text
    low, high = (comparison_words.mean(described, end) for end in (metric.ci_low, metric.ci_high))
    return f"{text} [{low}, {high}]"


@register.filter
def titled(name: str, titles: dict[str, str]) -> str:
    """What a metric is called; one that was posted from outside has no other name than its own."""
    return titles.get(name, name)


@register.filter
def words(value: str) -> str:
    """A kind of error or a finish reason, as a provider writes it, in words."""
    return _WORDS.get(value, value.replace("_", " "))


@register.filter
def plain_decimal(value: Decimal) -> str:
    """A decimal as a person would type it: 5, 0.25, 100; no zeros at the end and no exponent."""
    return f"{value.normalize():f}"


@register.filter
def with_detail(metrics: list[Any]) -> list[Any]:
    """The metrics that have more to show than their value and its interval."""
    return [metric for metric in metrics if metric.detail.keys() - {"interval"}]


@register.simple_tag
def follow(query: str) -> SafeString:
    """Attributes of a link to another state of a comparison's page: it works plainly, and quicker by htmx."""
    return format_html(
        'href="?{0}" data-follow="{0}" hx-get="?{0}" hx-target="#comparison" hx-swap="outerMorph" '
        'hx-push-url="true"',
        query,
    )


SHADES = 4


@register.filter
def confusion_rows(confusion: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Each true category with its cells: `count`, `right` on the diagonal, `shade` 0 to 4 by share of row."""
    rows = []
    for label, counts in zip(confusion["labels"], confusion["counts"], strict=True):
        total = sum(counts) or 1
        cells = [
            {"count": count, "right": column == label, "shade": -(-count * SHADES // total)}
            for column, count in zip(confusion["columns"], counts, strict=True)
        ]
        rows.append((label, cells))
    return rows
