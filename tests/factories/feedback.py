"""What people say of answers, as rows: spans, feedback, queues with items, annotations, votes on pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.core.models import Project, User
from apps.evaluations.models import EvalItem, PairVote
from apps.feedback.models import Annotation, AnnotationQueue, Feedback, QueueItem
from apps.feedback.thumbs.tokens import subject_of
from apps.prompts.models import PromptVersion
from apps.traces.models import Span, Trace
from apps.traces.scores import END_USER, THUMB, span_score_set

_numbers = count(1)
_BY = {"author_kind": "user", "author_label": "ada@example.com"}
#: A form with one field of most kinds.
FORM: list[dict[str, Any]] = [
    {"key": "thumb", "label": "Good answer?", "kind": "thumb", "required": True},
    {"key": "scale", "label": "How good", "kind": "scale", "min": 1, "max": 5, "required": False},
    {"key": "correction", "label": "A better answer", "kind": "correction", "required": False},
    {"key": "comment", "label": "Comment", "kind": "comment", "required": False},
]
PAIR_FORM: list[dict[str, Any]] = [
    {"key": "vote", "label": "Which is better?", "kind": "vote", "required": True}
]


def make_span(
    project: Project,
    question: str | None = None,
    output: str | None = None,
    *,
    prompt_version: PromptVersion | None = None,
    messages: Sequence[Mapping[str, Any]] | None = None,
    user: str = "",
    session: str = "",
    model_name: str = "fake/tiny",
    source: str = "application",
    **fields: Any,
) -> Span:
    """An answer of an application: by default to a question that no other span has."""
    number = next(_numbers)
    trace = Trace.objects.create(project=project, name="answer", user=user, session=session, source=source)
    question = question or f"What is {number} + {number}?"
    return Span.objects.create(
        project=project,
        trace=trace,
        prompt_version=prompt_version,
        model_name=model_name,
        inputs=fields.pop("inputs", {"question": question}),
        messages=list(messages) if messages is not None else [{"role": "user", "content": question}],
        output=output if output is not None else f"It is {2 * number}.",
        started_at=fields.pop("started_at", None) or timezone.now(),
        **{"finish_reason": "stop", "input_tokens": 12, "output_tokens": 5, "duration_ms": 120.0, **fields},
    )


def make_feedback(
    project: Project,
    span: Span | None = None,
    *,
    user: str | None = None,
    thumb: int | None = Feedback.UP,
    state: str = Feedback.State.APPROVED,
    correction: str = "",
    **fields: Any,
) -> Feedback:
    """A user's word on an answer, let through; with its score, as if it had come over the wire."""
    span = span or make_span(project, user=user or "")
    subject = subject_of(project_id=project.pk, user=user or f"user-{next(_numbers)}")
    version = span.prompt_version
    given = Feedback.objects.create(
        project=project,
        span=span,
        prompt=version.prompt if version else None,
        prompt_version=version,
        model_name=span.model_name,
        subject=subject,
        thumb=thumb,
        state=state,
        correction=correction,
        changed_at=timezone.now(),
        **fields,
    )
    if thumb is not None:
        span_score_set(
            project_id=project.pk,
            span_id=span.pk,
            metric=THUMB,
            source=END_USER,
            rater=subject,
            value=1.0 if thumb == Feedback.UP else 0.0,
        )
    return given


def make_queue(
    project: Project,
    *,
    kind: str = AnnotationQueue.Kind.SINGLE,
    form: Sequence[Mapping[str, Any]] | None = None,
    annotators_per_item: int = 1,
    **fields: Any,
) -> AnnotationQueue:
    """A queue without items."""
    number = next(_numbers)
    default = PAIR_FORM if kind == AnnotationQueue.Kind.PAIR else FORM
    return AnnotationQueue.objects.create(
        project=project,
        slug=fields.pop("slug", f"queue-{number}"),
        name=fields.pop("name", f"Queue {number}"),
        kind=kind,
        form=[dict(field) for field in (form or default)],
        annotators_per_item=annotators_per_item,
        **{**_BY, **fields},
    )


def make_queue_item(
    queue: AnnotationQueue,
    *,
    span: Span | None = None,
    other_span: Span | None = None,
    result: EvalItem | None = None,
    other_result: EvalItem | None = None,
    content: Mapping[str, Any] | None = None,
    **fields: Any,
) -> QueueItem:
    """An item with nobody's judgement yet; its content is taken from the spans or results, or made up."""
    number = next(_numbers)
    if content is None:
        content = _content(queue, number, [span, other_span], [result, other_result])
    fingerprint = hashlib.sha256(f"{number}/{json.dumps(content, sort_keys=True, default=str)}".encode())
    return QueueItem.objects.create(
        queue=queue,
        fingerprint=fingerprint.hexdigest(),
        span=span,
        other_span=other_span,
        result=result,
        other_result=other_result,
        content=dict(content),
        sort_key=fields.pop("sort_key", float(number)),
        open_places=fields.pop("open_places", queue.annotators_per_item),
        **fields,
    )


def _content(
    queue: AnnotationQueue, number: int, spans: list[Span | None], results: list[EvalItem | None]
) -> dict[str, Any]:
    answers = [{"text": span.output, "name": span.model_name} for span in spans if span]
    answers += [{"text": result.output, "name": result.run.name} for result in results if result]
    messages: Any = [{"role": "user", "content": f"Item {number}?"}]
    if spans[0] is not None:
        messages = spans[0].messages
    elif results[0] is not None:
        messages = results[0].rendered
    wanted = 2 if queue.kind == AnnotationQueue.Kind.PAIR else 1
    answers += [{"text": f"Answer {number}.{place}", "name": f"v{place}"} for place in (1, 2)]
    return {"messages": messages, "answers": answers[:wanted]}


def make_annotation(
    item: QueueItem,
    *,
    user: User | None = None,
    rater: str | None = None,
    values: Mapping[str, Any] | None = None,
    state: str = Annotation.State.SUBMITTED,
    **fields: Any,
) -> Annotation:
    """A judgement as the labelling page leaves it: submitted, and the item done when all places are taken."""
    now = timezone.now()
    rater = rater or (f"user:{user.pk}" if user else f"import:annotator {next(_numbers)}")
    default: Mapping[str, Any] = (
        {"vote": "first"} if item.queue.kind == AnnotationQueue.Kind.PAIR else {"thumb": "up"}
    )
    given = dict(values if values is not None else default)
    submitted = state == Annotation.State.SUBMITTED
    made = Annotation.objects.create(
        item=item,
        queue=item.queue,
        rater=rater,
        user=user,
        state=state,
        values=given,
        submitted_at=now if submitted else None,
        changed_at=now,
        active_ms=fields.pop("active_ms", 4_000),
        **fields,
    )
    if submitted and item.gold is None:
        item.submitted += 1
        item.open_places = max(0, item.open_places - 1)
        if item.open_places == 0 and item.status == QueueItem.Status.OPEN:
            item.status = QueueItem.Status.DONE
        item.save(update_fields=["submitted", "open_places", "status"])
    return made


def make_vote(one: EvalItem, other: EvalItem, winner: EvalItem | None, *, rater: str | UUID) -> PairVote:
    """A person's choice between two results of one example; None for a tie."""
    low, high = (one, other) if one.pk < other.pk else (other, one)
    side = PairVote.Winner.TIE
    if winner is not None:
        side = PairVote.Winner.ITEM if winner.pk == low.pk else PairVote.Winner.OTHER
    return PairVote.objects.create(
        item=low,
        other_item=high,
        winner=side,
        source=PairVote.Source.HUMAN,
        rater=rater if isinstance(rater, str) else f"user:{rater}",
    )
