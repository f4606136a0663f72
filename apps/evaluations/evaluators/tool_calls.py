"""Tool calls: did the model call the right tools with the right arguments?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .base import (
    Config,
    EvaluatorKind,
    Group,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .json_comparing import JsonComparison
from .json_diff import NESTED_TOO_DEEPLY
from .json_reading import NotJson, read_json
from .references import shorten
from .settings import choice, flag, number


class NoToolCalls(ValueError):
    """The value does not describe tool calls."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call by name; `arguments` None where a reference leaves them open."""

    name: str
    arguments: Any


def tool_calls_in(value: Any) -> list[ToolCall]:
    """The calls that a JSON value describes. Raises NoToolCalls.

    Understands a name alone, {"name", "arguments"}, {"function": {…}} as the OpenAI protocol has it, a
    list of these, and an object with such a list under "tool_calls".
    """
    if isinstance(value, Mapping) and "tool_calls" in value:
        value = value["tool_calls"]
    entries = value if isinstance(value, list | tuple) else [value]
    return [_tool_call(entry) for entry in entries]


def _tool_call(entry: Any) -> ToolCall:
    if isinstance(entry, Mapping) and isinstance(entry.get("function"), Mapping):
        entry = entry["function"]
    if isinstance(entry, str) and entry.strip():
        return ToolCall(entry.strip(), None)
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise NoToolCalls('A tool call is written {"name": "…", "arguments": {…}}.')
    arguments = entry.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError):
            pass  # kept as the text that it is: it equals no object
    return ToolCall(entry["name"], arguments)


@dataclass(frozen=True, slots=True)
class _Matching:
    """How arguments are compared: equal, at least those wanted, or not at all."""

    arguments: str
    comparison: JsonComparison

    def fits(self, given: ToolCall, wanted: ToolCall) -> bool:
        return given.name == wanted.name and not self.told(given, wanted)

    def told(self, given: ToolCall, wanted: ToolCall) -> str:
        """What is wrong with the arguments of `given`; "" when nothing is."""
        if self.arguments == "ignore" or wanted.arguments is None:
            return ""
        found = self.comparison.differences(given.arguments, wanted.arguments)
        if self.arguments == "subset":
            found.extra.clear()
        return found.told(3) if found.equal < found.leaves else ""


def _tool_call_match(config: Config) -> Scorer:
    matching = _Matching(config["arguments"], JsonComparison(config["ignore_order"], (), config["tolerance"]))

    def score(item: ScoringInput) -> Outcome:
        try:
            wanted = tool_calls_in(_read_reference(item.reference))
        except NoToolCalls as error:
            return Unscored(f"The reference holds no tool calls. {error}")
        given = _given(item, read_text=config["read_text"])
        try:
            return _scored(given, wanted, matching, config)
        except RecursionError:
            return NESTED_TOO_DEEPLY

    return each(score)


def _read_reference(reference: Any) -> Any:
    if not isinstance(reference, str):
        return reference
    try:
        return read_json(reference, accept_code_block=True)
    except NotJson:
        return reference  # the name of a tool


def _given(item: ScoringInput, *, read_text: bool) -> list[ToolCall]:
    if item.tool_calls or not read_text or not item.output.strip():
        return [_tool_call(call) for call in item.tool_calls]
    try:
        return tool_calls_in(read_json(item.output, accept_code_block=True))
    except (NotJson, NoToolCalls):
        return []


def _scored(
    given: Sequence[ToolCall], wanted: Sequence[ToolCall], matching: _Matching, config: Config
) -> Outcome:
    pairs = _paired(given, wanted, matching, in_order=config["in_order"])
    named = sum(call is not None for call in pairs)
    fitting = sum(
        call is not None and matching.fits(call, want) for call, want in zip(pairs, wanted, strict=True)
    )
    extra = len(given) - named
    complete = fitting == len(wanted) and (config["allow_extra"] or not extra)
    share = (named / len(wanted), fitting / len(wanted)) if wanted else (float(not given), float(not given))
    values = {"match": float(complete), "names": share[0], "arguments": share[1]}
    return Scored(values, "" if complete else _told(given, wanted, pairs, matching))


def _paired(
    given: Sequence[ToolCall], wanted: Sequence[ToolCall], matching: _Matching, *, in_order: bool
) -> list[ToolCall | None]:
    """For each wanted call the one that answers it: one whose arguments fit, else one of its name."""
    if in_order:
        heads = [*given[: len(wanted)], *[None] * (len(wanted) - len(given))]
        return [
            call if call and call.name == want.name else None
            for call, want in zip(heads, wanted, strict=True)
        ]
    free = list(given)
    pairs: list[ToolCall | None] = [None] * len(wanted)
    for exactly in (True, False):
        for place, want in enumerate(wanted):
            if pairs[place] is None:
                fits = (c for c in free if (matching.fits(c, want) if exactly else c.name == want.name))
                found = next(fits, None)
                if found is not None:
                    pairs[place] = found
                    free.remove(found)
    return pairs


def _told(
    given: Sequence[ToolCall],
    wanted: Sequence[ToolCall],
    pairs: Sequence[ToolCall | None],
    matching: _Matching,
) -> str:
    if not given:
        return f"No tool was called; expected {', '.join(call.name for call in wanted)}."
    if not wanted:
        return f"Called {', '.join(call.name for call in given)}; expected no call."
    called = {call.name for call in given}
    parts = []
    for call, want in zip(pairs, wanted, strict=True):
        if call is None:
            place = " in its place" if want.name in called else ""
            parts.append(f"{want.name} was not called{place}.")
        elif told := matching.told(call, want):
            parts.append(f"{want.name}: {told}")
    if not parts:
        besides = ", ".join(call.name for call in given if call not in pairs)
        parts.append(f"Called besides: {besides or 'the same once more'}.")
    return shorten(" ".join(parts), 1000)


TOOL_CALL_MATCH = EvaluatorKind(
    name="tool_call_match",
    title="Tool-call match",
    description="Whether the model called the tools of the reference: 1 when all calls match, and the "
    "share of "
    "calls whose name, and whose name and arguments, are right. The reference is one call or a list: "
    '{"name": "get_weather", "arguments": {"city": "Oslo"}}; an empty list wants no call.',
    config_schema=config_object(
        {
            "arguments": choice(
                "Arguments",
                "How arguments are compared. Where a reference names none, any will do.",
                {"equal": "must be equal", "subset": "must hold those wanted", "ignore": "do not matter"},
            ),
            "in_order": flag("Order matters", "The calls must come in the reference's order.", False),
            "allow_extra": flag("Further calls are fine", "Calls that the reference does not have.", False),
            "ignore_order": flag(
                "Order of lists in arguments does not matter", "[1, 2] equals [2, 1].", False
            ),
            "tolerance": number("Tolerance", "How far numbers may be apart.", low=0, high=1e12, default=0),
            "read_text": flag(
                "Read calls from the text",
                "Where the provider reported no calls, JSON in the output is read as calls.",
                True,
            ),
        }
    ),
    metrics=(
        MetricSpec("match", "All calls match", "higher", "binary", 0.0, 1.0),
        MetricSpec("names", "Right names", "higher", "continuous", 0.0, 1.0),
        MetricSpec("arguments", "Right names and arguments", "higher", "continuous", 0.0, 1.0),
    ),
    make_scorer=_tool_call_match,
    needs_reference=True,
    group=Group.STRUCTURE,
)
