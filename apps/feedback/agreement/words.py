"""What figures of agreement mean, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.feedback.queues.form import Kind

#: Landis & Koch 1977, Biometrics 33:159, table on p. 165.
_STRENGTHS = ((0.8, "almost perfectly"), (0.6, "substantially"), (0.4, "moderately"), (0.2, "fairly"))
#: Krippendorff 2018, Content Analysis, p. 356: rely on 0.8 and more, tentatively on 0.667 and more.
_RELIABLE, _TENTATIVE = 0.8, 0.667
#: Annotators that answered the same items: below, a figure says little.
FEW = 30

ANSWERS = {"first": "the first", "second": "the second", "tie": "a tie", "bad": "both bad"}


def field_sentences(field: Mapping[str, Any]) -> list[str]:
    """What the figures of one field say; the most careful reading first."""
    if field["raters"] < 2 or not field["shared"]:
        return ["Nobody shares an item with anybody else yet, so nothing can be said of agreement."]
    said = [_percent(field)]
    kappa = field["fleiss"] or {}
    two = len(field["pairs"]) == 1
    value = field["pairs"][0]["value"] if two else kappa.get("value")
    if value is not None:
        said.append(f"Beyond what chance would give, they agree {_strength(value)}.")
    said += _reliance(field["alpha"])
    if field["shared"] < FEW:
        said.append(f"Only {field['shared']:,} items were answered by several: too few to be sure.")
    return said


def _percent(field: Mapping[str, Any]) -> str:
    share = field["percent"]["value"]
    what = "the same number" if field["kind"] in (Kind.SCALE, Kind.NUMBER) else "the same answer"
    return f"Two annotators of an item give {what} in {share:.1%} of cases."


def _strength(value: float) -> str:
    if value < 0:
        return "less than not at all: they contradict each other"
    return next((word for least, word in _STRENGTHS if value > least), "only slightly")


def _reliance(alpha: Mapping[str, Any] | None) -> list[str]:
    """By the lower end of the interval, where there is one: what the data allow at worst."""
    if not alpha or alpha["value"] is None:
        return ["All answers are one and the same, so no figure beyond the share can be given."]
    worst = alpha["value"] if alpha["low"] is None else alpha["low"]
    if worst >= _RELIABLE:
        return ["Conclusions may rest on these answers."]
    if worst >= _TENTATIVE:
        return ["Only tentative conclusions may rest on these answers."]
    return [
        "Conclusions should not rest on these answers yet: look at the disagreements, make the instructions "
        "clearer, let more people answer the same items."
    ]


def answer_in_words(value: Any) -> str:
    """An answer as a list of disagreements shows it."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return ANSWERS.get(value, str(value)) if isinstance(value, str) else str(value)
