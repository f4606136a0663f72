"""What a comparison says, in one plain sentence that is never stronger than its interval allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from apps.core import figures
from apps.evaluations.comparisons.verdict_words import examples, missing, side
from apps.evaluations.comparisons.words import amount, ends, interval, mean, p_equals, p_value, size

Tone = Literal["better", "worse", "open"]
Mark = Literal["better", "worse", "unsure", "same", "mixed"]
Stored = Mapping[str, Any]
"""One metric of a comparison's result, as it is stored."""

LEVEL = 0.05
#: An interval lies well on both sides of zero when the shorter side is at least this part of its width.
#: Under it the data lean to one side (of a normal difference: p under about 0.3), and the sentence says so.
SHORTER_SIDE = 0.25
SAME_SETUP = (
    "Both ran the same version on the same model: it may be chance, or something outside that changed."
)
#: Metrics beside the primary one that a headline names on each side; the rest are counted.
MOST_NAMED = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """`tone` is better or worse only when the interval excludes no difference and the test agrees.

    `tone` is of the primary metric alone; `mark` is "mixed" when another metric clearly says otherwise.
    """

    tone: Tone
    mark: Mark
    headline: str
    detail: str

    @property
    def sentence(self) -> str:
        return f"{self.headline} {self.detail}".strip()


def verdict(
    metric: Stored | None,
    *,
    candidate: str,
    baseline: str,
    others: Sequence[Stored] = (),
    same_setup: bool = False,
) -> Verdict:
    """The verdict on `candidate` against `baseline` by one metric of a comparison's result.

    `metric` has difference, ci_low, ci_high (candidate less baseline), p_value, p_adjusted, n, missing,
    title, direction ("higher", "lower" or "" where neither is better). Of `others`, the result's other
    metrics, those that are clearly better or worse stand in the headline too. With `same_setup` both ran
    the same prompt version, model and parameters: a lean is then no sign of a difference.
    """
    if metric is None and others:
        said = f"{candidate} and {baseline} do not share the primary metric, so nothing is decided by it."
        return _beside(Verdict("open", "unsure", said, ""), others)
    found = _on(metric, candidate, baseline, same_setup=same_setup)
    if same_setup and found.tone != "open":
        found = replace(found, detail=f"{found.detail} {SAME_SETUP}")
    return _beside(found, others)


def tone_of(metric: Stored) -> Tone:
    """Better or worse where the interval excludes no difference and the corrected test agrees."""
    low, high, p = metric["ci_low"], metric["ci_high"], _tested(metric)
    if low is None or high is None or low <= 0 <= high or (p is not None and p >= LEVEL):
        return "open"
    if _astray(metric):
        return "open"
    if metric["direction"] not in ("higher", "lower"):
        return "open"
    return "better" if (low > 0) == (metric["direction"] == "higher") else "worse"


def _tested(metric: Stored) -> float | None:
    """The p-value that decides: corrected, where there was a correction; None of what is not tested."""
    adjusted = metric.get("p_adjusted")
    return adjusted if adjusted is not None else metric.get("p_value")


def _astray(metric: Stored) -> bool:
    """Whether the interval lies on the other side of zero than the difference: resampling may do so."""
    return bool(metric["difference"] * metric["ci_low"] <= 0)


def _on(metric: Stored | None, candidate: str, baseline: str, *, same_setup: bool) -> Verdict:
    """The verdict by one metric alone."""
    if metric is None:
        said = f"{candidate} and {baseline} share no metric, so neither can be called better."
        return Verdict("open", "unsure", said, "")
    title, low, high = metric["title"], metric["ci_low"], metric["ci_high"]
    if not metric["n"] or metric["difference"] is None:
        said = f"Nothing can be said: no example has a {title} score in both runs."
        return Verdict("open", "unsure", said, missing(metric))
    if metric.get("level") == "run" and not metric["difference"] and not (low or high):
        return _same_whole(metric, candidate, baseline)
    if low is None or high is None:
        said = f"Too few examples to tell {candidate} and {baseline} apart on {title}."
        detail = f"The difference is {amount(metric)} over {examples(metric['n'])}.{missing(metric)}"
        return Verdict("open", "unsure", said, detail)
    if low == high == 0:
        return _identical(metric, candidate, baseline)
    if not low <= 0 <= high:
        return _apart(metric, candidate, baseline)
    if min(-low, high) < SHORTER_SIDE * (high - low) and not same_setup:
        return _leaning(metric, candidate, baseline)
    return _none_found(metric, candidate, baseline)


def _identical(metric: Stored, candidate: str, baseline: str) -> Verdict:
    said = f"{candidate} and {baseline} have the same {metric['title']} in each of {examples(metric['n'])}."
    detail = f"Without any spread, how large a difference is excluded cannot be said.{missing(metric)}"
    return Verdict("open", "same", said, detail)


def _same_whole(metric: Stored, candidate: str, baseline: str) -> Verdict:
    """The one figure that each run has is the same, on every resample too where there are any."""
    figure = mean(metric, metric.get("baseline_mean"))
    said = f"{candidate} and {baseline} have the same {metric['title']} of the whole run, {figure}."
    detail = f"Measured over {examples(metric['n'])}; how large a difference is excluded cannot be said."
    return Verdict("open", "same", said, f"{detail}{missing(metric)}")


def _none_found(metric: Stored, candidate: str, baseline: str) -> Verdict:
    """What the interval excludes is all that was found: zero lies well inside, or none was to be expected."""
    lower, upper = size(metric, metric["ci_low"]), size(metric, metric["ci_high"])
    down, up = side(metric["direction"], up=False), side(metric["direction"], up=True)
    possible = [f"{lower} {down}", f"{upper} {up}"]
    if down == "better":
        possible.reverse()
    said = (
        f"No difference found between {candidate} and {baseline} on {metric['title']}; {candidate} may still "
        f"be up to {' or '.join(possible)}."
    )
    detail = (
        f"Measured: {amount(metric)} over {examples(metric['n'])}; the 95% interval excludes more than "
        f"that.{missing(metric)}"
    )
    return Verdict("open", "same", said, detail)


def _leaning(metric: Stored, candidate: str, baseline: str) -> Verdict:
    """The interval barely holds zero: neither a difference nor the lack of one is found."""
    said = (
        f"Not sure yet: {_looks(metric, candidate, baseline)}, but the data are compatible with anything "
        f"from {ends(metric, ' to ')}."
    )
    p, adjusted = metric.get("p_value"), metric.get("p_adjusted")
    tested = "" if p is None else f"; {p_equals(p)}"
    if p is not None and adjusted is not None and adjusted != p:
        tested += f", corrected {p_value(adjusted)}"
    return Verdict(
        "open", "unsure", said, f"95% interval over {examples(metric['n'])}{tested}.{missing(metric)}"
    )


def _apart(metric: Stored, candidate: str, baseline: str) -> Verdict:
    """The interval excludes no difference: by the direction that is better or worse, if the test agrees."""
    measured = f"Difference {amount(metric)}, 95% interval {ends(metric, ' to ')}, over "
    measured += f"{examples(metric['n'])}."
    adjusted, p = metric.get("p_adjusted"), _tested(metric)
    if _astray(metric):
        said = f"Not sure yet: {_looks(metric, candidate, baseline)}, but the interval does not agree."
        return Verdict("open", "unsure", said, f"{measured}{missing(metric)}")
    if p is not None and p >= LEVEL:
        said = f"Not sure yet: {_looks(metric, candidate, baseline)}, but the test does not agree."
        corrected = ", corrected for all the metrics shown," if adjusted is not None else ""
        why = f" The p-value{corrected} is {p_value(p)}."
        return Verdict("open", "unsure", said, f"{measured}{why}{missing(metric)}")
    word = side(metric["direction"], up=metric["ci_low"] > 0)
    if word not in ("better", "worse"):
        said = (
            f"{candidate} has a {word} {metric['title']} than {baseline}; neither direction counts as better."
        )
        return Verdict("open", "unsure", said, f"{measured}{missing(metric)}")
    tone: Literal["better", "worse"] = "better" if word == "better" else "worse"
    said = f"{candidate} is {word} than {baseline} on {metric['title']}."
    return Verdict(tone, tone, said, f"{measured}{missing(metric)}")


def _looks(metric: Stored, candidate: str, baseline: str) -> str:
    difference = metric["difference"]
    if difference == 0:
        return f"{candidate} and {baseline} have the same mean {metric['title']}"
    word = side(metric["direction"], up=difference > 0)
    return f"{candidate} looks {word} than {baseline} on {metric['title']} by {size(metric, difference)}"


def _beside(found: Verdict, others: Sequence[Stored]) -> Verdict:
    """The verdict with the other metrics that are clear: first those that speak against it."""
    clear = {tone: [each for each in others if tone_of(each) == tone] for tone in ("better", "worse")}
    against = "better" if found.tone == "worse" or not clear["worse"] else "worse"
    along = "worse" if against == "better" else "better"
    headline, mark = found.headline, found.mark
    if found.tone != against and clear[against]:
        joined = f"{headline} However, " if found.tone == "open" else f"{headline.removesuffix('.')}, but "
        headline, mark = f"{joined}{_clearly(clear[against], against)}", "mixed"
    elif clear[against]:
        headline = f"{headline} {_clearly(clear[against], against, too=True)}"
    if clear[along]:
        headline = f"{headline} {_clearly(clear[along], along, too=found.tone == along)}"
    return replace(found, headline=headline, mark=mark)


def _clearly(metrics: Sequence[Stored], word: str, *, too: bool = False) -> str:
    """ "chrF is clearly worse (−3.100 [−5.000, −1.000])." for each, and how many more there are."""
    ending = " too" if too else ""
    named = [
        f"{each['title']} is clearly {word}{ending} ({amount(each)} {interval(each)})"
        for each in metrics[:MOST_NAMED]
    ]
    more = len(metrics) - MOST_NAMED
    if more > 0:
        named.append(f"and {figures.number(more)} more {'is' if more == 1 else 'are'} clearly {word}{ending}")
    return f"{', '.join(named)}."
