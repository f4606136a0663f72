"""The condition on slices: how much a version may lose on any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from apps.core import figures
from apps.evaluations.comparing.columns import SPLIT
from apps.evaluations.comparisons import words
from apps.evaluations.comparisons.verdict_words import MUCH_MISSING
from apps.training.measuring.findings import Answer, Finding, Gain, Policy, SliceFound, Stored, change, rows

#: Slices named in a finding; the comparison's page has them all.
MOST_NAMED = 6
_ORDER = {"failed": 0, "undecided": 1, "passed": 2, "skipped": 3}


@dataclass(frozen=True, slots=True)
class SliceColumn:
    """The primary metric by the values of one column: `groups` as a comparison's part "slices" has them."""

    name: str
    groups: Sequence[Stored]


@dataclass(frozen=True, slots=True)
class _Looked:
    found: SliceFound
    gain: float


def condition_on_slices(policy: Policy) -> str:
    """In words; "" where slices are not looked at."""
    if policy.most_lost_on_slice is None:
        return ""
    sure = ", by the 95% interval" if policy.slices_shown else ""
    return f"No more than {_points(policy.most_lost_on_slice)} lost on any slice{sure}"


def on_slices(
    policy: Policy, metric: Stored | None, columns: Sequence[SliceColumn], span: float | None
) -> Finding | None:
    """`span` is the length of the metric's scale (a point is a hundredth of it); None where it has no ends.

    None where the policy does not look at slices.
    """
    most = policy.most_lost_on_slice
    if most is None:
        return None
    condition = condition_on_slices(policy)
    if metric is None or metric["direction"] not in ("higher", "lower"):
        return Finding(condition, "undecided", "There is no primary metric that can be lost on.")
    if metric.get("level") == "run":
        said = f"{metric['title']} is a figure of the whole run and has no slices. Choose a metric of rows."
        return Finding(condition, "undecided", said)
    if span is None:
        said = f"The scale of {metric['title']} has no ends, so a loss cannot be said in points."
        return Finding(condition, "undecided", said)
    if not columns:
        return Finding(condition, "skipped", "The rows have no column to tell slices apart by.")
    judged = [
        _judged(policy, metric, column.name, group, most * span / 100)
        for column in columns
        for group in column.groups
        if group["n"] >= max(policy.least_slice_rows, 1)
    ]
    few = sum(len(column.groups) for column in columns) - len(judged)
    found = _finding(condition, judged, few, policy)
    lacking = metric.get("missing") or 0
    if found.answer == "passed" and lacking > MUCH_MISSING * (lacking + metric["n"]):
        said = f"{found.text} But {rows(lacking)} lack a score on a side, enough to change the picture."
        return replace(found, answer="undecided", text=said)
    return found


def _judged(policy: Policy, metric: Stored, column: str, group: Stored, most: float) -> _Looked:
    gain = Gain.of(group, metric["direction"])
    answer: Answer = "undecided" if gain is None else _answer(policy, gain, most, clearly=group["worse"])
    value = "others" if group["value"] is None else str(group["value"] or "none")
    query = urlencode({"slice": column, "value": group["value"]}) if group["value"] else ""
    title = "split" if column == SPLIT else column
    found = SliceFound(title, value, group["n"], change(group, metric), answer, query)
    return _Looked(found, gain.value if gain else 0.0)


def _answer(policy: Policy, gain: Gain, most: float, *, clearly: bool) -> Answer:
    """Failed only when the interval excludes a loss that is allowed, and the slice is clearly worse after the
    correction for the number of slices: of fifty slices some look bad by chance alone.
    """
    if clearly and gain.high is not None and gain.high < -most:
        return "failed"
    if policy.slices_shown:
        return "passed" if gain.low is not None and gain.low >= -most - words.ROUNDING else "undecided"
    return "passed" if gain.value >= -most - words.ROUNDING else "undecided"


def _finding(condition: str, judged: Sequence[_Looked], few: int, policy: Policy) -> Finding:
    left = f" {_slices(few)} of fewer than {rows(policy.least_slice_rows)} not judged." if few else ""
    if not judged:
        said = f"No slice has {rows(policy.least_slice_rows)}. Add held-out rows, or lower that number."
        return Finding(condition, "undecided", said)
    ordered = sorted(judged, key=lambda one: (_ORDER[one.found.answer], one.gain))
    answer = ordered[0].found.answer
    named = tuple(one.found for one in ordered if answer == "passed" or one.found.answer != "passed")
    return Finding(condition, answer, f"{_said(judged, policy)}{left}", named[:MOST_NAMED])


def _said(judged: Sequence[_Looked], policy: Policy) -> str:
    lost, unsure = (sum(one.found.answer == answer for one in judged) for answer in ("failed", "undecided"))
    of = f"of {_slices(len(judged))}"
    if lost:
        also = f"; {figures.number(unsure)} more cannot be told" if unsure else ""
        return f"{figures.number(lost)} {of} clearly lost more{also}."
    if unsure and policy.slices_shown:
        return f"On {figures.number(unsure)} {of} a larger loss is not excluded."
    if unsure:
        return f"On {figures.number(unsure)} {of} more was lost, but chance is not excluded."
    measured = "lost more than that" if not policy.slices_shown else "may have lost more than that"
    return f"None {of} {measured}."


def _slices(count: int) -> str:
    return "1 slice" if count == 1 else f"{figures.number(count)} slices"


def _points(most: float) -> str:
    return f"{most:g} point" if most == 1 else f"{most:g} points"
