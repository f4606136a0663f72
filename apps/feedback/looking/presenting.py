"""A vote as pages show it: what was asked, answered and said, in short."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from apps.feedback.looking.similar import asked_text
from apps.feedback.models import AnswerTally, Feedback

_SHOWN = 400
_STATES = {
    Feedback.State.PENDING: ("neutral", "clock", "Waiting"),
    Feedback.State.APPROVED: ("good", "check", "Let through"),
    Feedback.State.REJECTED: ("bad", "ban", "Kept out"),
}
_FLAGS = {Feedback.Flag.BURST: "in a burst", Feedback.Flag.OUTLIER: "by an outlier"}
_THUMBS = {Feedback.UP: ("thumb-up", "Thumb up"), Feedback.DOWN: ("thumb-down", "Thumb down")}


@dataclass(frozen=True, slots=True)
class Row:
    """`answer` is what all votes on the answer come to, where the worst come first."""

    vote: Feedback
    answer: AnswerTally | None

    @property
    def asked(self) -> str:
        return _short(asked_text(self.vote.span))

    @property
    def answered(self) -> str:
        return _short(self.vote.span.output)

    @property
    def said(self) -> str:
        return _short(self.vote.comment)

    @property
    def corrected(self) -> str:
        return _short(self.vote.correction)

    @property
    def who(self) -> str:
        return who(self.vote)

    @property
    def state(self) -> tuple[str, str, str]:
        return state_words(self.vote)

    @property
    def flags(self) -> list[str]:
        return flag_words(self.vote)

    @property
    def thumb(self) -> tuple[str, str]:
        return _THUMBS.get(self.vote.thumb or 0, ("message", "No thumb"))


def feedback_rows(votes: Iterable[tuple[Feedback, AnswerTally | None]]) -> list[Row]:
    return [Row(vote, answer) for vote, answer in votes]


def who(vote: Feedback) -> str:
    """The beginning of the voter's hash: enough to tell voters apart."""
    return vote.subject[:8]


def state_words(vote: Feedback) -> tuple[str, str, str]:
    """Tone, icon and words of what was decided."""
    if vote.withdrawn_at:
        return "neutral", "arrow-back-up", "Withdrawn"
    return _STATES[Feedback.State(vote.state)]


def flag_words(vote: Feedback) -> list[str]:
    return [
        _FLAGS.get(Feedback.Flag(flag), flag) if flag in Feedback.Flag.values else flag for flag in vote.flags
    ]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
