"""What annotators see of spans and results, made of a batch of them at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from apps.core.models import Project
from apps.evaluations.models import EvalItem, EvalRun
from apps.evaluations.presentation import readable
from apps.feedback.models import Feedback
from apps.feedback.queues.uncertainty import of_results as uncertainty_of_results
from apps.feedback.queues.uncertainty import of_spans as uncertainty_of_spans
from apps.traces.models import Span

#: Characters of an answer that an item keeps: more than anybody reads.
MOST_TEXT = 50_000


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing to judge, not in any queue yet. `fingerprint` is what it is, wherever it comes from."""

    fingerprint: str
    content: dict[str, Any]
    happened_at: datetime | None = None
    uncertainty: float | None = None
    span_id: UUID | None = None
    result_id: UUID | None = None
    other_result_id: UUID | None = None
    feedback_id: UUID | None = None


def of_spans(project: Project, ids: Sequence[UUID]) -> list[Thing]:
    """In the order of `ids`."""
    spans = _spans(project, ids)
    uncertain = uncertainty_of_spans(project, list(spans))
    return [_of_span(spans[pk], uncertain.get(pk)) for pk in ids if pk in spans]


def of_feedback(project: Project, feedback: Sequence[Feedback]) -> list[Thing]:
    """The spans that the votes are about, each once, with the newest vote on it."""
    newest: dict[UUID, UUID] = {}
    for one in feedback:
        newest.setdefault(one.span_id, one.pk)
    spans = _spans(project, list(newest))
    uncertain = uncertainty_of_spans(project, list(spans))
    return [
        _of_span(spans[span_id], uncertain.get(span_id), feedback_id=feedback_id)
        for span_id, feedback_id in newest.items()
        if span_id in spans
    ]


def of_results(run: EvalRun, ids: Sequence[UUID]) -> list[Thing]:
    """In the order of `ids`."""
    items = _results(run, ids)
    uncertain = uncertainty_of_results(run, items.values())
    return [
        Thing(
            fingerprint=_fingerprint("result", pk),
            content=_asked(items[pk]) | {"answers": [_answer_of(run, items[pk])]},
            happened_at=items[pk].answered_at,
            uncertainty=uncertain.get(pk),
            result_id=pk,
        )
        for pk in ids
        if pk in items
    ]


def of_pairs(baseline: EvalRun, candidate: EvalRun, ids: Sequence[UUID]) -> list[Thing]:
    """The baseline's results `ids` beside the candidate's of the same example and repetition."""
    firsts = _results(baseline, ids)
    others = {
        (other.example_id, other.repetition): other
        for other in EvalItem.objects.filter(
            run=candidate,
            status=EvalItem.Status.COMPLETED,
            example__in=[item.example_id for item in firsts.values()],
        )
    }
    pairs = [
        (firsts[pk], others[key])
        for pk in ids
        if pk in firsts and (key := (firsts[pk].example_id, firsts[pk].repetition)) in others
    ]
    return [
        Thing(
            fingerprint=_fingerprint("pair", *sorted((one.pk, other.pk))),
            content=_asked(one) | {"answers": [_answer_of(baseline, one), _answer_of(candidate, other)]},
            happened_at=one.answered_at,
            result_id=one.pk,
            other_result_id=other.pk,
        )
        for one, other in pairs
    ]


def _spans(project: Project, ids: Sequence[UUID]) -> dict[UUID, Span]:
    spans = Span.objects.filter(project=project, pk__in=ids)
    return {span.pk: span for span in spans.select_related("prompt_version__prompt")}


def _results(run: EvalRun, ids: Sequence[UUID]) -> dict[UUID, EvalItem]:
    items = EvalItem.objects.filter(run=run, pk__in=ids, status=EvalItem.Status.COMPLETED)
    return {item.pk: item for item in items.select_related("example")}


def _of_span(span: Span, uncertainty: float | None, *, feedback_id: UUID | None = None) -> Thing:
    version = span.prompt_version
    answer: dict[str, Any] = {"text": _text(span.output, span.tool_calls), "name": span.model_name}
    if version is not None:
        answer["prompt_version"] = f"{version.prompt.slug} v{version.number}"
        answer["name"] = f"{version.prompt.name} v{version.number}"
    if span.model_name:
        answer["model"] = span.model_name
    content: dict[str, Any] = {"messages": span.messages, "answers": [answer]}
    if span.inputs:
        content["inputs"] = span.inputs
    return Thing(
        fingerprint=_fingerprint("span", span.pk),
        content=content,
        happened_at=span.started_at,
        uncertainty=uncertainty,
        span_id=span.pk,
        feedback_id=feedback_id,
    )


def _asked(item: EvalItem) -> dict[str, Any]:
    content: dict[str, Any] = {"messages": item.rendered, "inputs": item.example.inputs}
    if item.example.reference is not None:
        content["reference"] = readable(item.example.reference)
    return content


def _answer_of(run: EvalRun, item: EvalItem) -> dict[str, Any]:
    answer = {"text": _text(item.output, item.tool_calls), "name": run.name, "run": str(run.pk)}
    return answer | ({"model": run.model_name} if run.model_name else {})


def _text(output: str, tool_calls: Iterable[Mapping[str, Any]]) -> str:
    text = output
    if tool_calls:
        text = f"{text}\n\n{readable(tool_calls)}".strip()
    return text[:MOST_TEXT]


def _fingerprint(*parts: object) -> str:
    return sha256("/".join(map(str, parts)).encode()).hexdigest()
