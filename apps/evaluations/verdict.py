"""What a comparison says, in one plain sentence that is never stronger than its interval allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apps.core import figures

Tone = Literal["better", "worse", "open"]
LEVEL = 0.05
#: Under this share of paired examples the sentence says how many are missing before anything else.
MUCH_MISSING = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """`tone` is better or worse only when the interval excludes no difference and the test agrees."""

    tone: Tone
    headline: str
    detail: str

    @property
    def sentence(self) -> str:
        return f"{self.headline} {self.detail}".strip()


def verdict(metric: Mapping[str, Any] | None, *, candidate: str, baseline: str) -> Verdict:
    """The verdict on `candidate` against `baseline` by one metric of a comparison's result.

    `metric` has difference, ci_low, ci_high (candidate less baseline), p_value, p_adjusted, n, missing,
    title, direction ("higher", "lower" or "" where neither is better).
    """
    if metric is None:
        return Verdict(
            "open", f"{candidate} and {baseline} share no metric, so neither can be called better.", ""
        )
    title, n = metric["title"], metric["n"]
    low, high = metric["ci_low"], metric["ci_high"]
    if not n or metric["difference"] is None:
        return Verdict(
            "open", f"Nothing can be said: no example has a {title} score in both runs.", _missing(metric)
        )
    if low is None or high is None:
        said = f"Too few examples to tell {candidate} and {baseline} apart on {title}."
        return Verdict(
            "open", said, f"The difference is {_amount(metric)} over {_examples(n)}.{_missing(metric)}"
        )
    if low <= 0 <= high:
        return Verdict(
            "open", f"No difference found between {candidate} and {baseline} on {title}.", _open(metric)
        )
    return _apart(metric, candidate, baseline)


def _apart(metric: Mapping[str, Any], candidate: str, baseline: str) -> Verdict:
    """The interval excludes no difference: by the direction that is better or worse, if the test agrees."""
    title, up = metric["title"], metric["ci_low"] > 0
    measured = f"{_amount(metric)}, 95% interval {_interval(metric, 'to')}, over {_examples(metric['n'])}."
    if metric["direction"] not in ("higher", "lower"):
        word = "higher" if up else "lower"
        said = f"{candidate} has a {word} {title} than {baseline}; neither direction counts as better."
        return Verdict("open", said, f"Difference {measured}{_missing(metric)}")
    good = up == (metric["direction"] == "higher")
    word = "better" if good else "worse"
    adjusted = metric.get("p_adjusted")
    p = adjusted if adjusted is not None else metric.get("p_value")
    if p is not None and p >= LEVEL:
        said = f"{candidate} may be {word} than {baseline} on {title}, but this does not establish it."
        corrected = ", corrected for all the metrics shown," if adjusted is not None else ""
        why = f" The p-value{corrected} is {p:.2g}."
        return Verdict("open", said, f"Difference {measured}{why}{_missing(metric)}")
    tone: Tone = "better" if good else "worse"
    return Verdict(
        tone, f"{candidate} is {word} than {baseline} on {title}.", f"Difference {measured}{_missing(metric)}"
    )


def _open(metric: Mapping[str, Any]) -> str:
    return (
        f"The difference is {_amount(metric)}; with 95% confidence it lies between "
        f"{_interval(metric, 'and')}, over {_examples(metric['n'])}.{_missing(metric)}"
    )


def _amount(metric: Mapping[str, Any]) -> str:
    unit = f" {metric['unit']}" if metric.get("unit") else ""
    return f"{figures.signed(metric['difference'])}{unit}"


def _interval(metric: Mapping[str, Any], word: str) -> str:
    return f"{figures.signed(metric['ci_low'])} {word} {figures.signed(metric['ci_high'])}"


def _examples(n: int) -> str:
    return "1 example" if n == 1 else f"{n:,} examples"


def _missing(metric: Mapping[str, Any]) -> str:
    missing, n = metric.get("missing") or 0, metric["n"]
    if not missing:
        return ""
    verb = "lacks" if missing == 1 else "lack"
    text = f" {_examples(missing)} {verb} a score on a side and {'is' if missing == 1 else 'are'} left out"
    much = missing > MUCH_MISSING * (missing + n)
    return f"{text}, which is enough to change the picture." if much else f"{text}."
