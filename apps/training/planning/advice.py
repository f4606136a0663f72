"""Which method suits what people have judged so far, in one sentence. Plain Python.

The weights of KTO follow TRL's advice: desirable_weight × good to undesirable_weight × bad between 1:1 and
4:3 ("KTO Trainer" in its documentation, after Ethayarajh et al. 2024, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.training.planning.setting import DPO, KTO, SFT

#: Rows from which a method begins to show in answers; a rule of thumb, used to weigh methods.
_ENOUGH = {SFT: 60, DPO: 100, KTO: 150}
#: In the order that is tried where two are as far: corrections say best what is wanted.
_ORDER = (SFT, DPO, KTO)
_LITTLE = 0.5
_NAMES = {SFT: "SFT", DPO: "DPO", KTO: "KTO"}
_MAKES = {
    SFT: "imitates the corrections, which say exactly what a good answer is",
    DPO: "learns from pairs what is better than what",
    KTO: "learns from single thumbs, without pairs",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """How many judgements may be trained on: thumbs up and down, pairs that were voted on, corrections."""

    good: int = 0
    bad: int = 0
    pairs: int = 0
    corrections: int = 0

    @property
    def thumbs(self) -> int:
        return self.good + self.bad

    def in_words(self) -> str:
        """ "412 thumbs, 35 pairs, 20 corrections"."""
        counted = ((self.thumbs, "thumb"), (self.pairs, "pair"), (self.corrections, "correction"))
        return ", ".join(f"{n:,} {word}{'' if n == 1 else 's'}" for n, word in counted)


@dataclass(frozen=True, slots=True)
class Advice:
    """`method` is "" where there is nothing to train on. `weights` are settings of KTO."""

    method: str
    sentence: str
    why: str
    weights: dict[str, float]


def advise(judged: Judged) -> Advice:
    """The method that has most of what it needs."""
    reach = {
        SFT: judged.corrections / _ENOUGH[SFT],
        DPO: (judged.pairs + judged.corrections) / _ENOUGH[DPO],
        KTO: 2 * min(judged.good + judged.corrections, judged.bad) / _ENOUGH[KTO],
    }
    best = max(_ORDER, key=lambda method: reach[method])
    if not reach[best]:
        return _nothing(judged)
    weights = label_weights(judged.good, judged.bad) if best == KTO else {}
    rarer = max(weights.values(), default=1.0)
    weight = f", weight {rarer:g} for the rarer label" if rarer > 1 else ""
    why = f"{_NAMES[best]} {_MAKES[best]}."
    if reach[best] < _LITTLE:
        why += f" This is little yet: from about {_ENOUGH[best]} rows on it begins to show."
    return Advice(best, f"{judged.in_words()}: {_NAMES[best]}{weight}.", why, weights)


def _nothing(judged: Judged) -> Advice:
    if judged.thumbs:
        kind = "up" if judged.good else "down"
        return Advice(
            SFT if judged.good else "",
            f"{judged.thumbs:,} thumbs, all {kind}." if judged.thumbs > 1 else f"One thumb {kind}.",
            "Approved answers can be imitated (SFT); KTO needs thumbs of both kinds."
            if judged.good
            else "KTO needs thumbs of both kinds. Corrections would say what the answers should have been.",
            {},
        )
    return Advice(
        "",
        "Nobody has judged answers yet.",
        "Collect thumbs, votes or corrections and make a training set of them, or train on a dataset with "
        "references.",
        {},
    )


def label_weights(good: int, bad: int) -> dict[str, float]:
    """KTO's weights that balance the two sides; {} where one is missing or they are even enough."""
    if not good or not bad:
        return {}
    if 1 <= good / bad <= 4 / 3:
        return {}
    if good > bad:
        return {"desirable_weight": 1.0, "undesirable_weight": _rounded(good / bad)}
    return {"desirable_weight": _rounded(bad / good), "undesirable_weight": 1.0}


def _rounded(weight: float) -> float:
    """To two figures, and within what a setting may be."""
    return min(100.0, float(f"{weight:.2g}"))


def is_balanced(good: int, bad: int, desirable_weight: float, undesirable_weight: float) -> bool:
    """Whether the weighted sides are near what TRL advises, with some room on both sides."""
    if not good or not bad:
        return False
    ratio = desirable_weight * good / (undesirable_weight * bad)
    return 0.75 <= ratio <= 1.8
