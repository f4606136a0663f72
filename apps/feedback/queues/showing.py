"""An item as its annotator sees it: sides instead of names, and votes said of sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.feedback.models import Annotation, AnnotationQueue, QueueItem
from apps.feedback.queues.claiming import Given
from apps.feedback.queues.form import FIRST, SECOND, VOTE_KEY

#: The answer on the left, and the one on the right.
SIDES = ("A", "B")
_PAIR = AnnotationQueue.Kind.PAIR


def given_as_json(queue: AnnotationQueue, given: Given) -> dict[str, Any]:
    """What the labelling page gets: nothing that tells whose answers they are, or that an item is gold."""
    annotation = given.annotation
    content = _content(given.item, annotation)
    item: dict[str, Any] = {"id": str(given.item.pk), "kind": queue.kind, "content": content}
    if given.item.disputed_id is not None:
        item["others"] = [values_shown(queue, annotation, values) for values in given.others]
    until = annotation.lease_until
    return {
        "annotation": {
            "id": str(annotation.pk),
            "lease": str(annotation.lease),
            "lease_until": until.isoformat() if until else None,
            "values": values_shown(queue, annotation, annotation.values),
            "revision": annotation.revision,
            "state": annotation.state,
            "submit_id": str(annotation.submit_id) if annotation.submit_id else None,
        },
        "item": item,
        "number": given.number,
    }


def _content(item: QueueItem, annotation: Annotation) -> dict[str, Any]:
    kept = item.content
    answers = kept.get("answers", [])
    order = [annotation.shown_first, 1 - annotation.shown_first] if len(answers) == 2 else range(len(answers))
    content: dict[str, Any] = {
        "messages": kept.get("messages", []),
        "answers": [
            {"side": side, "text": answers[place].get("text", "")}
            for side, place in zip(SIDES, order, strict=False)
        ],
    }
    return content | {name: kept[name] for name in ("inputs", "reference") if kept.get(name)}


def values_shown(queue: AnnotationQueue, annotation: Annotation, values: Mapping[str, Any]) -> dict[str, Any]:
    """The answers with the vote said of sides: "A", "B", "tie", "bad"."""
    if queue.kind != _PAIR or VOTE_KEY not in values:
        return dict(values)
    vote = values[VOTE_KEY]
    if vote in (FIRST, SECOND):
        vote = SIDES[(vote == SECOND) != annotation.shown_first]
    return {**values, VOTE_KEY: vote}


def values_meant(queue: AnnotationQueue, annotation: Annotation, values: object) -> object:
    """What the page sends, with the vote said of the item's own first and second answer."""
    if queue.kind != _PAIR or not isinstance(values, dict) or VOTE_KEY not in values:
        return values
    vote = values[VOTE_KEY]
    if vote in SIDES:
        vote = SECOND if (vote == "B") != bool(annotation.shown_first) else FIRST
    elif vote in (FIRST, SECOND):  # these are of the item's order, which the page does not know
        vote = f"{vote} of what?"
    return {**values, VOTE_KEY: vote}


def names_of(queue: AnnotationQueue, item: QueueItem, annotation: Annotation) -> dict[str, str] | None:
    """Whose answers stood on which side, for after the vote; None where there was one answer."""
    answers = item.content.get("answers", [])
    if queue.kind != _PAIR or len(answers) != 2:
        return None
    first = annotation.shown_first
    return {"A": answers[first].get("name", ""), "B": answers[1 - first].get("name", "")}
