"""Which ratings of people answer the question that a judge answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.evaluations.evaluators import MetricSpec, kind
from apps.evaluations.evaluators.base import Config
from apps.evaluations.evaluators.rubric import FRACTION, SCALE
from apps.evaluations.models import EvaluatorVersion
from apps.evaluations.people_ratings import PREFERENCE
from apps.feedback.models import AnnotationQueue
from apps.feedback.queues.form import FormField, Kind, read_form


@dataclass(frozen=True, slots=True)
class Question:
    """A field of a queue's form, and whose it is."""

    queue_id: UUID
    field: FormField


@dataclass(frozen=True, slots=True)
class Match:
    """Metrics of people's ratings that are held against one metric of a judge; `votes` are its pairs.

    `low` and `high` are the ends of people's scale, None where it has none that is known.
    """

    metrics: tuple[str, ...]
    labels: tuple[str, ...]
    queues: tuple[UUID, ...] = ()
    votes: bool = False
    low: float | None = None
    high: float | None = None


Questions = Mapping[str, Sequence[Question]]
"""Questions by the slug of the evaluator that they name; "" holds all others."""


def questions_of(project: Project) -> dict[str, list[Question]]:
    """The fields of the project's forms that people can agree on. One query."""
    found: dict[str, list[Question]] = {}
    for queue_id, form in AnnotationQueue.objects.filter(project=project).values_list("id", "form"):
        try:
            fields = read_form(form)
        except InvalidInput:
            continue
        for one in fields:
            if one.judged and one.kind != Kind.VOTE:
                found.setdefault(one.evaluator, []).append(Question(queue_id, one))
    return found


def is_judge(version: EvaluatorVersion) -> bool:
    """Whether a model judges."""
    by_calls = kind(version.evaluator.kind).by_calls
    return by_calls is not None and by_calls.prompt is not None


def metrics_checked(version: EvaluatorVersion) -> list[MetricSpec]:
    """What of it can be held against people: its metrics of items."""
    evaluator = version.evaluator
    return [spec for spec in kind(evaluator.kind).metrics_of(evaluator.slug) if spec.level == "item"]


def match_of(version: EvaluatorVersion, metric: str, questions: Questions, asked: str = "") -> Match:
    """`asked` where it was chosen; else the fields that name the evaluator; else a metric of the same name.

    A judge of pairs is held against people's votes on the same pairs.
    """
    by_calls = kind(version.evaluator.kind).by_calls
    if by_calls is not None and by_calls.votes and not asked:
        return Match((PREFERENCE,), ("votes on the same pairs",), votes=True, low=0.0, high=1.0)
    own = [] if asked else questions.get(version.evaluator.slug, [])
    name = asked or metric
    chosen = own or [one for given in questions.values() for one in given if one.field.key == name]
    if not chosen:
        return Match((name,), (name,))
    low, high = _ends([one.field for one in chosen])
    return Match(
        metrics=tuple(dict.fromkeys(one.field.key for one in chosen)),
        labels=tuple(dict.fromkeys(one.field.label for one in chosen)),
        queues=tuple(one.queue_id for one in chosen),
        low=low,
        high=high,
    )


def _ends(fields: Iterable[FormField]) -> tuple[float | None, float | None]:
    """The scale that all of the fields share."""
    ends = {_end(one) for one in fields}
    return ends.pop() if len(ends) == 1 else (None, None)


def _end(one: FormField) -> tuple[float | None, float | None]:
    if one.kind == Kind.THUMB:
        return 0.0, 1.0
    if one.kind == Kind.SCALE:
        return float(one.low), float(one.high)
    return one.min, one.max


def judge_ends(spec: MetricSpec, config: Config) -> tuple[float | None, float | None]:
    """The ends of the judge's scale; None where it has none that is known."""
    answer: Any = config.get("answer")
    if answer == SCALE:
        return 1.0, float(config.get("scale_max", 5))
    if answer == FRACTION:
        return 0.0, 1.0
    return spec.low, spec.high
