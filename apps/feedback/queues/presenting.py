"""Items and annotations made ready for pages: answers in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime

from apps.evaluations.presentation import readable
from apps.evaluations.raters import rater_names
from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.form import FormField, Kind, read_form

_WORDS = {
    Kind.THUMB: {"up": "Thumb up", "down": "Thumb down"},
    Kind.VOTE: {
        "first": "The first answer",
        "second": "The second answer",
        "tie": "A tie",
        "bad": "Both bad",
    },
}
_PAST = {"left": "left the page", "expired": "the lease ran out"}
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Answer:
    """One field's answer in words; `long` for texts of one's own."""

    label: str
    text: str
    long: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """One annotator's annotation, with the annotator's name and what became of it so far."""

    annotation: Annotation
    name: str
    answers: list[Answer]
    past: list[dict[str, Any]]

    @property
    def seconds(self) -> float | None:
        return self.annotation.active_ms / 1000 if self.annotation.active_ms else None


def answers_in_words(form: Sequence[FormField], values: Mapping[str, Any]) -> list[Answer]:
    """In the form's order; what was not answered is left out."""
    return [
        Answer(field.label, _in_words(field, values[field.key]), not field.judged)
        for field in form
        if values.get(field.key) is not None
    ]


def _in_words(field: FormField, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if field.kind == Kind.SCALE:
        return f"{value} of {field.high}"
    return _WORDS.get(field.kind, {}).get(value, str(value))


def judgements_of(queue: AnnotationQueue, item: QueueItem) -> list[Judgement]:
    """Everybody's annotations of the item, the first first."""
    form = read_form(queue.form)
    rows = list(item.annotations.order_by("pk"))
    names = rater_names({row.rater for row in rows})
    return [
        Judgement(row, names[row.rater], answers_in_words(form, row.values), _past(form, row)) for row in rows
    ]


def _past(form: Sequence[FormField], annotation: Annotation) -> list[dict[str, Any]]:
    return [
        {
            "at": parse_datetime(line["at"]),
            "what": _PAST.get(line["what"], line["what"]),
            "reason": line.get("reason", ""),
            "answers": [one for one in answers_in_words(form, line.get("values", {})) if not one.long],
        }
        for line in annotation.history
    ]


def content_shown(item: QueueItem) -> dict[str, Any]:
    """The item's messages, answers with their names, inputs and reference, as text."""
    content = item.content
    return {
        "messages": [
            (str(one.get("role", "")), _text(one.get("content")))
            for one in content.get("messages", [])
            if isinstance(one, dict)
        ],
        "answers": [
            {**answer, "text": _text(answer.get("text")), "place": place}
            for place, answer in enumerate(content.get("answers", []), start=1)
        ],
        "reference": _text(content.get("reference")),
    }


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else readable(value)
    return text[:_LONGEST]
