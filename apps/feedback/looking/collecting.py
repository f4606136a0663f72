"""Feedback becomes examples: of any dataset, or of the set that holds what a prompt once did wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets.models import Dataset, Example
from apps.datasets.services import Added, NewExample, dataset_create, examples_add
from apps.feedback.models import AnnotationQueue, Feedback
from apps.prompts.models import Prompt
from apps.traces.models import Span

_MAX_SLUG = 80


def datasets_to_collect_into(*, project: Project) -> list[Dataset]:
    """Those that examples can be added to, by name."""
    return list(Dataset.objects.filter(project=project, archived_at=None).order_by("name")[:500])


def queues_to_send_to(*, project: Project) -> list[AnnotationQueue]:
    """Those that take single answers, by name; no adjudicator's, which fill themselves."""
    queues = AnnotationQueue.objects.filter(project=project, archived_at=None, adjudicates=None)
    return list(queues.filter(kind=AnnotationQueue.Kind.SINGLE).order_by("name")[:500])


def regression_slug(prompt: Prompt) -> str:
    return f"regressions-of-{prompt.slug}"[:_MAX_SLUG].rstrip("-")


def regression_set(*, prompt: Prompt) -> Dataset | None:
    """The dataset of what the prompt once did wrong, None before anything was added to it."""
    return Dataset.objects.filter(project=prompt.project_id, slug=regression_slug(prompt)).first()


def spans_in(*, dataset: Dataset | None, spans: Iterable[Span]) -> set[str]:
    """Which of the spans the dataset has as examples: their keys."""
    if dataset is None:
        return set()
    keys = [example_key(span) for span in spans]
    current = Example.objects.filter(dataset=dataset, valid_to=None, key__in=keys)
    return set(current.values_list("key", flat=True))


def example_key(span: Span) -> str:
    return f"span-{span.pk}"


def regressions_add(
    *, project: Project, by: Actor, prompt: Prompt, votes: Sequence[Feedback]
) -> tuple[Dataset, Added]:
    """Add the answers' questions to the prompt's regression set, which is made with the first of them."""
    with transaction.atomic():
        Prompt.objects.select_for_update(no_key=True, of=("self",)).get(pk=prompt.pk)  # one maker at a time
        dataset = regression_set(prompt=prompt) or dataset_create(
            project=project,
            by=by,
            name=f"Regressions of {prompt.name}"[:120],
            slug=regression_slug(prompt),
            description=f"What users disliked of {prompt.name}, to run again after each change.",
        )
        return dataset, _add(dataset=dataset, by=by, votes=votes)


def feedback_collect(
    *, project: Project, by: Actor, votes: Sequence[Feedback], dataset: Dataset | None, name: str = ""
) -> tuple[Dataset, Added]:
    """Add what was judged to `dataset`, or to a new one called `name`, as its next version.

    Raises NameTaken, DatasetArchived, InvalidInput.
    """
    with transaction.atomic():
        if dataset is None:
            dataset = dataset_create(project=project, by=by, name=name, description="Made from feedback.")
        return dataset, _add(dataset=dataset, by=by, votes=votes)


def _add(*, dataset: Dataset, by: Actor, votes: Sequence[Feedback]) -> Added:
    """Each answer once, by its span, the correction as the reference; one that came later is taken over."""
    if not votes:
        raise InvalidInput("Choose at least one answer to add.")
    by_span: dict[Any, Feedback] = {}
    for vote in votes:
        kept = by_span.get(vote.span_id)
        if kept is None or (vote.correction and not kept.correction):
            by_span[vote.span_id] = vote
    examples = [_example(vote) for vote in by_span.values()]
    return examples_add(dataset=dataset, by=by, examples=examples, note="From feedback.", renew=True)


def _example(vote: Feedback) -> NewExample:
    span, version = vote.span, vote.prompt_version
    thumb = {Feedback.UP: "up", Feedback.DOWN: "down"}.get(vote.thumb or 0, "")
    metadata = {
        "thumb": thumb,
        "reason": vote.reason,
        "answer": span.output[:2_000],
        "prompt_version": version.number if version else None,
        "model": vote.model_name,
    }
    return NewExample(
        key=example_key(span),
        inputs=inputs_of(span),
        reference=vote.correction or None,
        metadata={name: value for name, value in metadata.items() if value not in ("", None)},
    )


def inputs_of(span: Span) -> dict[str, Any]:
    """The values of the prompt's variables; of a call without any, its messages."""
    if isinstance(span.inputs, dict) and span.inputs:
        return span.inputs
    return {"messages": span.messages}


def added_in_words(dataset: Dataset, added: Added) -> str:
    if added.version is None:
        return f"{dataset.name} has {'it' if added.already == 1 else 'all of them'} already."
    count = added.added + added.changed
    told = f"{count:,} {'example' if count == 1 else 'examples'} added to {dataset.name}"
    already = f" {added.already:,} were there already." if added.already else ""
    return f"{told}, version {added.version.number}.{already}"
