"""The answers that were judged, with what they were asked: read in batches, by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.core.models import Project
from apps.evaluations.models import EvalItem
from apps.feedback.models import Annotation, Feedback, QueueItem, TrainingSource
from apps.feedback.queues.form import Kind, read_form
from apps.feedback.training_sets.naming import ITEM, RESULT, SPAN, Ref, digest
from apps.prompts.models import PromptVersion
from apps.traces.models import Span


@dataclass(frozen=True, slots=True)
class Answer:
    """`messages` as they were sent. `calls_tools`: there is more to the answer than its text."""

    messages: Any
    text: str
    calls_tools: bool = False
    inputs: Any = None
    origin: dict[str, Any] = field(default_factory=dict)


def answers_of(project: Project, refs: Iterable[Ref]) -> dict[Ref, tuple[Answer, ...]]:
    """The answers by name: one each, two for a pair that only its item keeps. Gone ones are missing."""
    wanted: dict[str, list[UUID]] = {SPAN: [], RESULT: [], ITEM: []}
    for ref in set(refs):
        wanted[ref.kind].append(ref.id)
    found: dict[Ref, tuple[Answer, ...]] = {}
    found |= {Ref(SPAN, id): (answer,) for id, answer in _spans(project, wanted[SPAN]).items()}
    found |= {Ref(RESULT, id): (answer,) for id, answer in _results(project, wanted[RESULT]).items()}
    items = QueueItem.objects.filter(pk__in=wanted[ITEM], queue__project=project) if wanted[ITEM] else ()
    return found | {Ref(ITEM, item.pk): _of_content(item.content) for item in items}


def _spans(project: Project, ids: list[UUID]) -> dict[UUID, Answer]:
    if not ids:
        return {}
    spans = list(
        Span.objects.filter(project=project, pk__in=ids).only(
            "messages", "output", "tool_calls", "inputs", "model_name", "prompt_version_id", "error_kind"
        )
    )
    versions = _named({span.prompt_version_id for span in spans})
    return {
        span.pk: Answer(
            messages=span.messages,
            text="" if span.error_kind else span.output,
            calls_tools=bool(span.tool_calls),
            inputs=span.inputs,
            origin=_origin(versions.get(span.prompt_version_id), span.model_name),
        )
        for span in spans
    }


def _results(project: Project, ids: list[UUID]) -> dict[UUID, Answer]:
    if not ids:
        return {}
    items = (
        EvalItem.objects.filter(pk__in=ids, run__project=project)
        .select_related("run", "example")
        .only(
            "rendered",
            "output",
            "tool_calls",
            "status",
            "example__inputs",
            "run__model_name",
            "run__prompt_version_id",
        )
    )
    rows = list(items)
    versions = _named({item.run.prompt_version_id for item in rows})
    return {
        item.pk: Answer(
            messages=item.rendered,
            text=item.output if item.status == EvalItem.Status.COMPLETED else "",
            calls_tools=bool(item.tool_calls),
            inputs=item.example.inputs,
            origin=_origin(versions.get(item.run.prompt_version_id), item.run.model_name),
        )
        for item in rows
    }


def _named(ids: set[UUID | None]) -> dict[UUID | None, tuple[str, int]]:
    """Prompt versions by id: (the prompt's slug, number)."""
    rows = PromptVersion.objects.filter(pk__in=[id for id in ids if id]).values_list(
        "pk", "prompt__slug", "number"
    )
    return {pk: (slug, number) for pk, slug, number in rows}


def _origin(version: tuple[str, int] | None, model: str) -> dict[str, Any]:
    origin: dict[str, Any] = {"prompt": version[0], "version": version[1]} if version else {}
    return origin | ({"model": model} if model else {})


def _of_content(content: dict[str, Any]) -> tuple[Answer, ...]:
    return tuple(
        Answer(
            messages=content.get("messages"),
            text=str(answer.get("text", "")),
            inputs=content.get("inputs"),
            origin={"model": str(answer["name"])} if answer.get("name") else {},
        )
        for answer in content.get("answers", ())
    )


def corrections_of(sources: Iterable[TrainingSource]) -> dict[str, str]:
    """The texts of corrections by their digest, as they are now: what changed since is not among them."""
    by_kind: dict[str, list[str]] = {"feedback": [], "annotation": []}
    for source in sources:
        if source.says == "correction":
            by_kind[source.kind].append(source.source_id)
    texts: list[str] = []
    if ids := by_kind["feedback"]:
        given = Feedback.objects.filter(pk__in=ids, withdrawn_at=None)
        texts += given.values_list("correction", flat=True)
    if ids := by_kind["annotation"]:
        for row in (
            Annotation.objects.filter(pk__in=ids).select_related("queue").only("values", "queue__form")
        ):
            fields = [one.key for one in read_form(row.queue.form) if one.kind == Kind.CORRECTION]
            texts += [text for key in fields if isinstance(text := row.values.get(key), str)]
    return {digest(text): text.strip() for text in texts}
