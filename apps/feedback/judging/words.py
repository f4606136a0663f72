"""A judge's agreement with people in a few words: the badge beside its scores."""

from __future__ import annotations

from dataclasses import dataclass

from apps.feedback.judging.checking import Check

UNCHECKED = "not checked against people"


@dataclass(frozen=True, slots=True)
class Badge:
    """`tone` is "good", "fair", "poor" or "" (nothing known); `title` says more."""

    text: str
    tone: str
    title: str


def badge_of(check: Check) -> Badge:
    """What is known of one metric of a judge."""
    figures = check.state.figures
    if not check.rated:
        return Badge(UNCHECKED, "", "Nobody has rated what it scored. A queue can ask people the same.")
    if figures is None:
        told = "could not be checked against people" if check.state.error else "being checked against people"
        return Badge(told, "", check.state.error)
    headline = figures["headline"]
    if headline is None:
        return Badge(UNCHECKED, "", "People’s ratings and its scores are of kinds that cannot be compared.")
    n, value = headline["n"], headline["value"]
    if value is None:
        return Badge(f"agreement with people cannot be told, n {n:,}", "", "All say one and the same.")
    low, high = headline["low"], headline["high"]
    interval = "" if low is None else f" [{low:.2f}, {high:.2f}]"
    worst = value if low is None else low
    told = "agrees with people" if worst > 0 else "no agreement with people is shown"
    text = f"{told}: {headline['name']} {value:.2f}{interval}, n {n:,}"
    return Badge(text, _tone(worst), f"Held against {', '.join(figures['against'])}.")


def _tone(worst: float) -> str:
    """By the lower end of the interval: Landis & Koch 1977 call 0.6 and more substantial, 0.4 moderate."""
    return "good" if worst >= 0.6 else "fair" if worst >= 0.4 else "poor"
