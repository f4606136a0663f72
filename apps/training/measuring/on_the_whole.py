"""The condition on the whole: whether a version beats its base on the primary metric."""

from __future__ import annotations

from apps.evaluations.comparisons import words
from apps.evaluations.comparisons.verdict import tone_of
from apps.evaluations.comparisons.verdict_words import MUCH_MISSING
from apps.training.measuring.findings import Answer, Finding, Gain, Stored, change, rows

CONDITIONS = {
    "clearly": "Clearly better than the base on {title}",
    "average": "Better than the base on {title} on average",
    "not_worse": "Not clearly worse than the base on {title}",
}


def condition_on_the_whole(must_beat: str, title: str = "the primary metric") -> str:
    """In words; "" where nothing is asked of the whole."""
    return CONDITIONS.get(must_beat, "").format(title=title)


def on_the_whole(must_beat: str, metric: Stored | None) -> Finding | None:
    """None where the policy asks nothing of the whole."""
    if must_beat not in CONDITIONS:
        return None
    condition = condition_on_the_whole(must_beat, *([metric["title"]] if metric else []))
    if metric is None:
        return Finding(condition, "undecided", "The two runs share no metric, so there is nothing to judge.")
    if metric["direction"] not in ("higher", "lower"):
        said = f"Neither more nor less {metric['title']} counts as better. Choose another primary metric."
        return Finding(condition, "undecided", said)
    gain = Gain.of(metric, metric["direction"])
    if gain is None:
        return Finding(condition, "undecided", f"No row has a {metric['title']} score of both.")
    answer, said = _ANSWERS[must_beat](metric, gain)
    measured = f"{change(metric, metric)} over {rows(metric['n'])}. {said}"
    if answer == "passed" and (why := _missing_matters(must_beat, metric)):
        return Finding(condition, "undecided", f"{measured} {why}")
    return Finding(condition, answer, measured)


def _clearly(metric: Stored, gain: Gain) -> tuple[Answer, str]:
    tone = tone_of(metric) if gain.low is not None else "open"
    if tone == "better":
        return "passed", "The interval excludes that it is no better."
    if tone == "worse":
        return "failed", "It is clearly worse."
    if gain.low is None or gain.high is None:
        return "undecided", "That is too few to tell."
    if gain.low == gain.high == 0:
        return "failed", "Both have the same score on every row."
    if gain.low <= 0 <= gain.high:
        return "undecided", f"It may be better, equal or worse.{_how_many(metric)}"
    return "undecided", "The interval excludes no difference, but the corrected test does not agree."


def _average(metric: Stored, gain: Gain) -> tuple[Answer, str]:
    if gain.value > words.ROUNDING:
        sure = gain.low is not None and gain.low > 0
        return "passed", "" if sure else "That it is by chance is not excluded."
    return "failed", "It is not better."


def _not_worse(metric: Stored, gain: Gain) -> tuple[Answer, str]:
    if gain.low is None or gain.high is None:
        return "undecided", "That is too few to tell."
    if gain.high >= 0:
        low = words.size(metric, min(gain.low, 0.0))
        return "passed", f"A loss of up to {low} is not excluded." if gain.low < 0 else ""
    if tone_of(metric) == "worse":
        return "failed", "It is clearly worse."
    return "undecided", "The interval lies below no difference, but the corrected test does not agree."


_ANSWERS = {"clearly": _clearly, "average": _average, "not_worse": _not_worse}


def _missing_matters(must_beat: str, metric: Stored) -> str:
    """Why rows without a score forbid a pass; "" where the answer stays the same with all of them against
    the version.
    """
    lacking = metric.get("missing") or 0
    if not lacking:
        return ""
    worst = metric.get("sensitivity")
    if worst is None:
        much = lacking > MUCH_MISSING * (lacking + metric["n"])
        return f"But {rows(lacking)} lack a score on a side, enough to change the picture." if much else ""
    gain = Gain.of({**worst, "n": metric["n"]}, metric["direction"])
    if gain is not None and _holds(must_beat, gain):
        return ""
    return f"But {rows(lacking)} lack a score on a side; with all of them against it, it would not hold."


def _holds(must_beat: str, gain: Gain) -> bool:
    if must_beat == "average":
        return gain.value > 0
    end = gain.low if must_beat == "clearly" else gain.high
    return end is not None and (end > 0 or (must_beat == "not_worse" and end == 0))


def _how_many(metric: Stored) -> str:
    """What differences so many rows show at all; "" where that is not known."""
    seen = metric.get("detectable")
    if not seen:
        return ""
    return (
        f" So many rows show a difference of {words.size(metric, seen)} or more; more rows show smaller ones."
    )
