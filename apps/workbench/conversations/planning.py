"""What the next call of a conversation is made of: the prompt around the talk, cut to the context window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.prompts.content import VersionContent
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.preview import value_of
from apps.providers.models import Model
from apps.workbench.calls.columns import Planned, bases_of, call_plan, column_content
from apps.workbench.conversations.counting import Counter, counter_from
from apps.workbench.conversations.errors import ContextFull
from apps.workbench.conversations.fitting import Policy, Rules, SummaryNeeded, Talk, WindowFull, fit
from apps.workbench.conversations.messages import HISTORY, Said, around_history, said_in
from apps.workbench.models import Call, Conversation, Turn


@dataclass(frozen=True, slots=True)
class Asked:
    """A column of the page and the values of its variables, as the page sent them; kept while a summary is
    made.
    """

    column: dict[str, Any]
    values: dict[str, Any]
    page: str
    keep: bool = False

    def as_json(self) -> dict[str, Any]:
        return {"column": self.column, "values": self.values, "page": self.page, "keep": self.keep}


@dataclass(frozen=True, slots=True)
class NextCall:
    """A call that can be made; turns below position `left_out` are not sent with it."""

    planned: Planned
    left_out: int


@dataclass(frozen=True, slots=True)
class NextSummary:
    """The turns below position `until` have to be summarised first; `messages` are those to summarise."""

    messages: list[Mapping[str, Any]]
    until: int
    model_name: str
    window: int | None


def next_call(*, conversation: Conversation, turns: Sequence[Turn], asked: Asked) -> NextCall | NextSummary:
    """Raises InvalidRun for what cannot be rendered, ContextFull for what does not fit."""
    prompt = conversation.prompt
    content, version = column_content(prompt, asked.column, bases_of(prompt, [asked.column]))
    head, tail = _around(prompt, content, version, asked.values)
    said = said_in(turns)
    window = conversation.window or head.model.context_window
    rules = Rules(
        window=window,
        policy=Policy(conversation.policy),
        reserve=int(content.parameters.get("max_tokens") or 0),
        keep_last=conversation.keep_last,
        counter=last_counter(turns),
    )
    talk = Talk(
        head=head.messages,
        said=[each.message for each in said],
        tail=tail.messages,
        summary=conversation.summary,
        summarised=sum(each.position < conversation.summary_until for each in said),
    )
    try:
        fitted = fit(talk, rules)
    except WindowFull as error:
        raise ContextFull(str(error), needed=error.needed, window=error.window) from error
    if isinstance(fitted, SummaryNeeded):
        model_name = conversation.summary_model or str(content.parameters.get("model") or "")
        return NextSummary(list(fitted.messages), _position(said, fitted.until), model_name, window)
    planned = replace(
        head,
        content=content,
        messages=[dict(message) for message in fitted.messages],
        inputs={**head.inputs, **tail.inputs},
        column=str(asked.column.get("id") or "")[:20],
        includes={**head.includes, **tail.includes},
    )
    return NextCall(planned, _position(said, fitted.left_out))


def _around(
    prompt: Prompt, content: VersionContent, version: PromptVersion | None, values: Mapping[str, Any]
) -> tuple[Planned, Planned]:
    """The prompt's messages before the talk and after it, rendered."""
    inputs = {
        name: value_of(value) if isinstance(value, str) else value
        for name, value in values.items()
        if name != HISTORY
    }
    before, after = around_history(content.messages)
    parts = [replace(content, messages=part) for part in (before, after)]
    head, tail = (call_plan(prompt=prompt, content=part, inputs=inputs, version=version) for part in parts)
    return head, tail


def _position(said: Sequence[Said], count: int) -> int:
    """The turn's position at which what is sent begins when the first `count` messages are not."""
    if not count:
        return 0
    return said[count].position if count < len(said) else said[-1].position + 1


def last_counter(turns: Sequence[Turn]) -> Counter:
    """A counter that agrees with what the provider last told."""
    call = last_told(turns)
    return counter_from(call.messages, call.input_tokens) if call else Counter()


def last_told(turns: Sequence[Turn]) -> Call | None:
    """The newest call of the talk whose tokens the provider told."""
    for turn in reversed(turns):
        if turn.call is not None and turn.call.input_tokens:
            return turn.call
    return None


def model_window(conversation: Conversation, model: Model | None) -> int | None:
    """The context window that holds: the one a person typed, else what the model's own is known to be."""
    return conversation.window or (model.context_window if model else None)
