"""From what several people say of one answer, or of one pair, to what is learned. Plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from apps.feedback.training_sets.recipe import KEEP, UNANIMOUS

#: Of two judgements of the same answer by one person, the one made with more care counts.
_CARE = {"annotation": 2, "feedback": 1, "vote": 0}
WAITS = "waits"
_SIDES = ("first", "second")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one person says: "up", "down", "middle"; "first", "second", "tie", "bad"; or "waits".

    `settles`: an adjudicator's word.
    """

    kind: str
    source_id: str
    person: str
    says: str
    settles: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """`chosen` are the sides to learn from, usually one; empty where `left_out` says why not.

    `counted` are the judgements that were weighed; `contested` is True where they are not all the same.
    """

    chosen: tuple[str, ...]
    left_out: str
    contested: bool
    counted: tuple[Judgement, ...]


def weighed(judgements: Sequence[Judgement]) -> tuple[Judgement, ...]:
    """One judgement a person, the one made with most care, then the last; an adjudicator's before all."""
    settling = [judgement for judgement in judgements if judgement.settles]
    by_person: dict[str, Judgement] = {}
    for judgement in sorted(
        settling or judgements, key=lambda each: (_CARE.get(each.kind, 0), each.source_id)
    ):
        by_person[judgement.person] = judgement
    return tuple(by_person.values())


def verdict_on_answer(judgements: Sequence[Judgement], *, conflicts: str) -> Verdict:
    """Whether an answer is good ("up") or bad ("down")."""
    counted = weighed(judgements)
    tally = Counter(judgement.says for judgement in counted)
    up, down = tally["up"], tally["down"]
    contested = up > 0 and down > 0
    if tally[WAITS]:
        return Verdict((), "disputed", contested=True, counted=counted)
    if not up and not down:
        return Verdict((), "undecided", contested=False, counted=counted)
    if contested and conflicts == UNANIMOUS:
        return Verdict((), "disagreement", contested, counted)
    if up == down:
        chosen = ("up", "down") if conflicts == KEEP else ()
        return Verdict(chosen, "" if chosen else "conflict", contested, counted)
    return Verdict(("up" if up > down else "down",), "", contested, counted)


def verdict_on_pair(judgements: Sequence[Judgement], *, conflicts: str) -> Verdict:
    """Which of two answers is better. Ties and "both bad" count against a choice; they teach nothing."""
    counted = weighed(judgements)
    tally = Counter(judgement.says for judgement in counted)
    contested = len(tally) > 1
    if tally[WAITS]:
        return Verdict((), "disputed", contested=True, counted=counted)
    if contested and conflicts == UNANIMOUS:
        return Verdict((), "disagreement", contested, counted)
    most = max(tally.values())
    leading = sorted(says for says, count in tally.items() if count == most)
    if leading == ["tie"] or leading == ["bad"]:
        return Verdict((), "tie" if leading == ["tie"] else "both_bad", contested, counted)
    if len(leading) == 1:
        return Verdict((leading[0],), "", contested, counted)
    kept = tuple(side for side in leading if side in _SIDES) if conflicts == KEEP else ()
    return Verdict(kept, "" if kept else "conflict", contested, counted)
