"""A conversation becomes an example of a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.errors import NotFound
from apps.datasets.models import Dataset, Example
from apps.datasets.selectors import dataset_get, example_current
from apps.datasets.services import NewExample, dataset_create, examples_add
from apps.workbench.conversations.errors import InvalidTurn
from apps.workbench.conversations.messages import HISTORY, said_in
from apps.workbench.conversations.turns import turns_of
from apps.workbench.models import Call, Conversation, Turn

MOST_REFERENCE = 1_000_000


@dataclass(frozen=True, slots=True)
class SavedExample:
    """`version` None: the dataset has this example already."""

    dataset: Dataset
    example: Example
    version: int | None


def conversation_save(
    *, conversation: Conversation, by: Actor, dataset: str, new_dataset: str, reference: str | None
) -> SavedExample:
    """Publish the talk as an example: inputs are the variables' values and `history`, all messages up to the
    last answer, which is the reference unless another is given.

    `dataset` is the slug of one that is there; else one called `new_dataset` is made. Raises InvalidTurn,
    DatasetArchived, NameTaken.
    """
    turns = turns_of(conversation)
    answer = _last_answer(turns)
    if answer is None or answer.call is None:
        raise InvalidTurn("There is no answer yet that could be the example's reference.")
    call = answer.call
    history = [each.message for each in said_in(turns) if each.position < answer.position]
    new = NewExample(
        key=f"conversation {str(conversation.pk)[-12:]} turn {answer.position}",
        inputs={**_values(call), HISTORY: history},
        reference=_reference(reference, call),
        metadata=_metadata(conversation, call),
    )
    with transaction.atomic():
        found = _dataset(conversation, by, dataset, new_dataset)
        note = f"From a conversation with {conversation.prompt.name}"
        added = examples_add(dataset=found, by=by, examples=[new], note=note, columns=list(new.inputs))
        example = example_current(found, new.key)
        assert example is not None
    return SavedExample(found, example, added.version.number if added.version else None)


def _last_answer(turns: list[Turn]) -> Turn | None:
    done = [
        turn
        for turn in turns
        if turn.role == Turn.Role.ASSISTANT and turn.call and turn.call.status == Call.Status.COMPLETED
    ]
    return done[-1] if done else None


def _values(call: Call) -> Mapping[str, Any]:
    return {name: value for name, value in call.inputs.items() if name != HISTORY}


def _reference(typed: str | None, call: Call) -> str:
    text = call.output if typed is None else typed
    if len(text) > MOST_REFERENCE:
        raise InvalidTurn(f"A reference has at most {MOST_REFERENCE:,} characters.")
    return text


def _metadata(conversation: Conversation, call: Call) -> dict[str, Any]:
    version = call.prompt_version
    return {
        "prompt": conversation.prompt.slug,
        "prompt_version": version.number if version else "draft",
        "model": call.model_name,
        "conversation": str(conversation.pk),
    }


def _dataset(conversation: Conversation, by: Actor, slug: str, new_name: str) -> Dataset:
    if not slug:
        return dataset_create(project=conversation.project, by=by, name=new_name)
    try:
        return dataset_get(project=conversation.project, slug=slug)
    except NotFound as error:
        raise InvalidTurn(error.detail, fields={"dataset": [error.detail]}) from error
