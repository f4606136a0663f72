"""Going on with a conversation: one turn at a time, told apart by the revision that its page has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.errors import ProductError
from apps.workbench.calls.columns import call_plan
from apps.workbench.calls.services import call_stop, calls_start
from apps.workbench.calls.stream import Page, publish
from apps.workbench.conversations.errors import ConversationMoved, InvalidTurn
from apps.workbench.conversations.messages import open_tool_calls
from apps.workbench.conversations.planning import Asked, NextCall, NextSummary, next_call
from apps.workbench.conversations.summarising import summary_content
from apps.workbench.models import Call, Conversation, Turn

MOST_TURNS = 2_000
MOST_CHARS = 400_000
LOST_AFTER = timedelta(seconds=20)
_UNDER_WAY = (Call.Status.PENDING, Call.Status.RUNNING)
_SWEPT_AT_ONCE = 100
_TITLE = 80
#: Of a long talk's calls: what was sent with each is most of the talk again.
_HEAVY = tuple(f"{of}__{part}" for of in ("call", "waits_for") for part in ("content", "messages", "inputs"))


@dataclass(frozen=True, slots=True)
class Said:
    """What a person adds: a text, or answers to the tools that were called, by the call's id.

    Neither asks for an answer to what stands there. `cut`: turns from this position on are taken away first.
    """

    text: str = ""
    tool_answers: Mapping[str, str] | None = None
    cut: int | None = None


def turn_add(
    *, conversation: Conversation, by: Actor, revision: int, said: Said, asked: Asked
) -> Conversation:
    """Add what was said, and ask for the answer. Nothing is kept when it cannot be sent.

    Raises ConversationMoved when the page had not seen the newest state, InvalidTurn, InvalidRun,
    ContextFull, PromptArchived.
    """
    with transaction.atomic():
        locked = _locked(conversation, revision)
        if said.cut is not None:
            _cut(locked, said.cut)
        turns = turns_of(locked)
        _refuse_under_way(turns)
        added = _added(locked, turns, said)
        _refuse_nothing_to_answer(turns, added)
        Turn.objects.bulk_create(added)
        locked.title = locked.title or _title(said.text)
        _ask(locked, by, [*turns, *added], asked)
        _save(locked)
    return locked


def turns_cut(*, conversation: Conversation, revision: int, position: int) -> Conversation:
    """Take the turns from `position` on away. Raises ConversationMoved."""
    with transaction.atomic():
        locked = _locked(conversation, revision)
        _cut(locked, position)
        _save(locked)
    return locked


def turns_of(conversation: Conversation) -> list[Turn]:
    """In order. What their calls were made of is read when it is asked for."""
    turns = conversation.turns.select_related("call__prompt_version", "waits_for__prompt_version")
    return list(turns.defer(*_HEAVY).order_by("position"))


def turn_ended(call: Call) -> None:
    """A call of a conversation has ended: a summary lets the answer be asked for that waits for it."""
    for turn in Turn.objects.filter(waits_for=call, call=None).select_related("conversation"):
        _summarised(turn.conversation, turn, call)
    found = Turn.objects.filter(Q(call=call) | Q(waits_for=call)).first()
    if found is not None:
        _tell(call, found.conversation_id)


def turns_sweep() -> None:
    """Find answers that wait for a summary which is there."""
    # From the turns: from the calls, a call that no turn waits for would count as one without an answer.
    lost = Turn.objects.filter(call=None, waits_for__finished_at__lt=timezone.now() - LOST_AFTER)
    for call in Call.objects.filter(pk__in=lost.values("waits_for")).order_by("pk")[:_SWEPT_AT_ONCE]:
        turn_ended(call)


def _locked(conversation: Conversation, revision: int) -> Conversation:
    rows = Conversation.objects.select_for_update(no_key=True, of=("self",))
    locked = rows.select_related("prompt__project", "project").get(pk=conversation.pk)
    if locked.revision != revision:
        raise ConversationMoved(
            "Another tab or person went on with this conversation meanwhile. What you typed is still here: "
            "look at the newest turns, then send it again."
        )
    return locked


def _save(conversation: Conversation) -> None:
    conversation.revision += 1
    conversation.save()


def _cut(conversation: Conversation, position: int) -> None:
    gone = conversation.turns.filter(position__gte=position).select_related("call", "waits_for")
    for turn in gone:
        for call in (turn.call, turn.waits_for):
            if call is not None and call.status in _UNDER_WAY:
                # Only once it is sure: what is refused after this brings the turns back.
                transaction.on_commit(partial(call_stop, call=call), robust=True)
    gone.delete()
    if conversation.summary_until > position:
        conversation.summary, conversation.summary_until, conversation.summary_call = "", 0, None


def _refuse_under_way(turns: Sequence[Turn]) -> None:
    last = turns[-1] if turns else None
    if last is None:
        return
    # A summary that has ended is still to be followed by the answer that waits for it.
    summarised = last.call is None and last.waits_for is not None
    if summarised or (last.call is not None and last.call.status in _UNDER_WAY):
        raise InvalidTurn("The answer is still coming. Wait for it, or stop it first.")
    if len(turns) >= MOST_TURNS:
        raise InvalidTurn(f"A conversation has at most {MOST_TURNS:,} turns. Begin a new one.")


def _added(conversation: Conversation, turns: Sequence[Turn], said: Said) -> list[Turn]:
    """The new turns, not saved."""
    position = turns[-1].position + 1 if turns else 0
    waiting = open_tool_calls(turns)
    if len(said.text) > MOST_CHARS:
        text = f"A turn has at most {MOST_CHARS:,} characters; this one has {len(said.text):,}."
        raise InvalidTurn(text, fields={"text": [text]})
    if waiting:
        answers = dict(said.tool_answers or {})
        missing = [each for each in waiting if each not in answers]
        if missing:
            text = f"The model called {len(waiting)} tools. Answer each of them first."
            raise InvalidTurn(text, fields={f"tool_answers.{each}": ["Give an answer."] for each in missing})
        return [
            Turn(
                conversation=conversation,
                position=position + place,
                role=Turn.Role.TOOL,
                content=str(answers[each]),
                tool_call_id=each[:200],
            )
            for place, each in enumerate(waiting)
        ]
    if not said.text.strip():
        return []
    return [Turn(conversation=conversation, position=position, role=Turn.Role.USER, content=said.text)]


def _refuse_nothing_to_answer(turns: Sequence[Turn], added: Sequence[Turn]) -> None:
    """Without anything new, an answer can be had to the prompt itself, or to a turn whose answer failed."""
    if added or not turns:
        return
    last = turns[-1]
    if last.role == Turn.Role.ASSISTANT and last.call and last.call.status == Call.Status.COMPLETED:
        raise InvalidTurn("Write something first.", fields={"text": ["Write something first."]})


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else f"{line[: _TITLE - 1]}…"


def _ask(conversation: Conversation, by: Actor, turns: Sequence[Turn], asked: Asked) -> None:
    """Ask for the answer to the last of `turns`, or for the summary that has to be there first."""
    turns = _without_failed_end(turns)
    following = next_call(conversation=conversation, turns=turns, asked=asked)
    turn = Turn(
        conversation=conversation,
        position=turns[-1].position + 1 if turns else 0,
        role=Turn.Role.ASSISTANT,
    )
    if isinstance(following, NextSummary):
        turn.waits_for = _summary_call(conversation, by, following, asked)
        turn.asked = {**asked.as_json(), "until": following.until}
    else:
        _answer(conversation, by, turn, following, asked)
    turn.save()


def _without_failed_end(turns: Sequence[Turn]) -> list[Turn]:
    """An answer that did not come gives its place to the next try."""
    kept = list(turns)
    while kept and kept[-1].role == Turn.Role.ASSISTANT and _has_failed(kept[-1]):
        kept.pop().delete()
    return kept


def _has_failed(turn: Turn) -> bool:
    return turn.call is None or turn.call.status in (Call.Status.FAILED, Call.Status.CANCELLED)


def _answer(conversation: Conversation, by: Actor, turn: Turn, following: NextCall, asked: Asked) -> None:
    [turn.call] = calls_start(
        project=conversation.project,
        by=by,
        prompt=conversation.prompt,
        page=UUID(asked.page),
        planned=[following.planned],
        purpose=Call.Purpose.TURN,
        keep=asked.keep,
    )
    turn.left_out, turn.asked = following.left_out, {}


def _summary_call(conversation: Conversation, by: Actor, needed: NextSummary, asked: Asked) -> Call:
    content = summary_content(
        model_name=needed.model_name,
        messages=needed.messages,
        before=conversation.summary,
        window=needed.window,
    )
    # The talk is data here: what looks like a template in it is none, so nothing is rendered.
    plain = call_plan(prompt=conversation.prompt, content=_without_messages(content), inputs={})
    [call] = calls_start(
        project=conversation.project,
        by=by,
        prompt=conversation.prompt,
        page=UUID(asked.page),
        planned=[plain.__class__(content, content.messages, plain.model, {})],
        purpose=Call.Purpose.TURN,
        keep=asked.keep,
    )
    return call


def _without_messages(content: Any) -> Any:
    return content.__class__(messages=[], parameters=content.parameters)


def _summarised(conversation: Conversation, turn: Turn, call: Call) -> None:
    """Take the summary over and ask for the answer; or say in the turn why there is none."""
    with transaction.atomic():
        rows = Conversation.objects.select_for_update(no_key=True, of=("self",))
        locked = rows.select_related("prompt__project", "project").get(pk=conversation.pk)
        waiting = locked.turns.filter(pk=turn.pk, call=None, waits_for=call).first()
        if waiting is None:
            return
        if call.status != Call.Status.COMPLETED or not call.output.strip():
            reason = call.error or "The model said nothing."
            _give_up(waiting, f"The older turns could not be summarised: {reason}")
            return
        until = int(waiting.asked["until"])
        locked.summary, locked.summary_until, locked.summary_call = call.output, until, call
        locked.save()
        try:
            with transaction.atomic():
                _answer_waiting(locked, waiting, call)
        except ProductError as error:
            _give_up(waiting, error.detail)


def _answer_waiting(conversation: Conversation, waiting: Turn, call: Call) -> None:
    kept = waiting.asked
    asked = Asked(kept["column"], kept["values"], kept["page"], kept["keep"])
    turns = [turn for turn in turns_of(conversation) if turn.position < waiting.position]
    following = next_call(conversation=conversation, turns=turns, asked=asked)
    if isinstance(following, NextSummary):
        raise InvalidTurn("The summary is so long that the window is full again. Shorten the turn.")
    by = Actor(kind=call.author_kind, id=call.author_id, label=call.author_label, role=None, address="")  # type: ignore[arg-type]
    _answer(conversation, by, waiting, following, asked)
    waiting.save()


def _give_up(turn: Turn, reason: str) -> None:
    turn.error, turn.waits_for, turn.asked = reason, None, {}
    turn.save()


def _tell(call: Call, conversation_id: UUID) -> None:
    event = {"type": "conversation", "purpose": "turn", "conversation": str(conversation_id)}
    publish(Page.of_call(call), event)
