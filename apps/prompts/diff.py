"""The difference of two versions as plain values, word by word, for a template to draw.

Texts are compared by lines first and by words within changed lines, at a cost that `alignment` bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any, Literal, Protocol

from apps.prompts.alignment import Allowance, align

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
Kind = Literal["equal", "insert", "delete"]
MessageKind = Literal["equal", "changed", "added", "removed"]


class Version(Protocol):
    """What a diff needs of a version; PromptVersion has it."""

    @property
    def messages(self) -> Any: ...
    @property
    def parameters(self) -> Any: ...
    @property
    def tools(self) -> Any: ...
    @property
    def response_schema(self) -> Any: ...
    @property
    def variables(self) -> Any: ...
    @property
    def includes(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text: in both versions ("equal"), only in the new ("insert") or the old ("delete")."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class MessageDiff:
    """One message of either version, or a pair. Numbers count from 1; None: that side has none."""

    kind: MessageKind
    role: str
    old_role: str | None
    old_number: int | None
    new_number: int | None
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class ValueDiff:
    """A parameter that differs; values as text, None where a side does not set it."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """All that differs between two versions. `tools` and `response_schema` are empty when they are equal;
    `includes` are those whose text came to another version, by reference."""

    messages: list[MessageDiff]
    parameters: list[ValueDiff] = field(default_factory=list)
    tools: list[Part] = field(default_factory=list)
    response_schema: list[Part] = field(default_factory=list)
    variables_added: list[str] = field(default_factory=list)
    variables_removed: list[str] = field(default_factory=list)
    includes: list[ValueDiff] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        changed = any(message.kind != "equal" for message in self.messages)
        return not (changed or self.parameters or self.tools or self.response_schema or self.includes)


def diff_versions(old: Version, new: Version) -> VersionDiff:
    """What has to change in `old` to make it `new`."""
    old_names, new_names = set(old.variables), set(new.variables)
    return VersionDiff(
        messages=_diff_messages(old.messages, new.messages),
        parameters=_diff_parameters(old.parameters, new.parameters),
        tools=_diff_json(old.tools or None, new.tools or None),
        response_schema=_diff_json(old.response_schema, new.response_schema),
        variables_added=sorted(new_names - old_names),
        variables_removed=sorted(old_names - new_names),
        includes=_diff_includes(old.includes, new.includes),
    )


def diff_text(old: str, new: str, allowance: Allowance | None = None) -> list[Part]:
    """Stretches of equal, removed and added text, in reading order; removed before added."""
    allowance = allowance or Allowance()
    if old == new:
        return [Part("equal", old)] if old else []
    parts: list[Part] = []
    old_lines, new_lines = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for kind, a, b in align(old_lines, new_lines, allowance):
        before, after = "".join(a), "".join(b)
        if kind == "equal":
            parts.append(Part("equal", before))
        elif before and after:
            parts += _diff_words(before, after, allowance)
        else:
            parts += _replaced(before, after)
    return _joined(parts)


def _diff_words(old: str, new: str, allowance: Allowance) -> list[Part]:
    parts: list[Part] = []
    for kind, a, b in align(_WORDS.findall(old), _WORDS.findall(new), allowance):
        before, after = "".join(a), "".join(b)
        parts += [Part("equal", before)] if kind == "equal" else _replaced(before, after)
    return _with_small_islands_removed(parts)


def _with_small_islands_removed(parts: list[Part]) -> list[Part]:
    """Blanks that stay the same between two replaced words belong to the replacement: it reads better."""
    merged: list[Part] = []
    for index, part in enumerate(parts):
        island = part.kind == "equal" and part.text.isspace() and "\n" not in part.text
        if (
            island
            and 0 < index < len(parts) - 1
            and _replaces(parts, index - 1, -1)
            and _replaces(parts, index + 1, 1)
        ):
            merged += [Part("delete", part.text), Part("insert", part.text)]
        else:
            merged.append(part)
    return merged


def _replaces(parts: list[Part], index: int, step: int) -> bool:
    """Whether the run of changes that begins at `index` both removes and adds."""
    kinds = set()
    while 0 <= index < len(parts) and parts[index].kind != "equal":
        kinds.add(parts[index].kind)
        index += step
    return len(kinds) == 2


def _joined(parts: list[Part]) -> list[Part]:
    """Neighbouring changes put together: all removed text, then all added."""
    result: list[Part] = []
    removed = added = ""
    for part in [*parts, Part("equal", "")]:
        if part.kind == "delete":
            removed += part.text
        elif part.kind == "insert":
            added += part.text
        else:
            result += _replaced(removed, added)
            removed = added = ""
            if part.text:
                if result and result[-1].kind == "equal":
                    result[-1] = Part("equal", result[-1].text + part.text)
                else:
                    result.append(part)
    return result


def _replaced(before: str, after: str) -> list[Part]:
    removed = [Part("delete", before)] if before else []
    added = [Part("insert", after)] if after else []
    return removed + added


def _diff_messages(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[MessageDiff]:
    """Equal messages are matched; what lies between them was changed, added or removed."""
    keys_old = [json.dumps(message, sort_keys=True) for message in old]
    keys_new = [json.dumps(message, sort_keys=True) for message in new]
    result: list[MessageDiff] = []
    allowance = Allowance()
    for tag, i, j, k, m in SequenceMatcher(None, keys_old, keys_new, autojunk=False).get_opcodes():
        if tag == "equal":
            result += [_pair(old, new, i + n, k + n, allowance) for n in range(j - i)]
        else:
            result += _diff_between(old, new, (i, j), (k, m), allowance)
    return result


def _diff_between(
    old: list[dict[str, Any]],
    new: list[dict[str, Any]],
    old_span: tuple[int, int],
    new_span: tuple[int, int],
    allowance: Allowance,
) -> list[MessageDiff]:
    """Messages of which none stayed the same: those of one role are paired, then what is left in order."""
    result: list[MessageDiff] = []
    old_roles = [message["role"] for message in old[slice(*old_span)]]
    new_roles = [message["role"] for message in new[slice(*new_span)]]
    for _, a, b, c, d in SequenceMatcher(None, old_roles, new_roles, autojunk=False).get_opcodes():
        i, j, k, m = a + old_span[0], b + old_span[0], c + new_span[0], d + new_span[0]
        pairs = min(j - i, m - k)
        result += [_pair(old, new, i + n, k + n, allowance) for n in range(pairs)]
        result += [_single(old[index], index + 1, None) for index in range(i + pairs, j)]
        result += [_single(new[index], None, index + 1) for index in range(k + pairs, m)]
    return result


def _pair(
    old: list[dict[str, Any]], new: list[dict[str, Any]], i: int, k: int, allowance: Allowance
) -> MessageDiff:
    role, old_role = new[k]["role"], old[i]["role"]
    kind: MessageKind = "equal" if old[i] == new[k] else "changed"
    parts = diff_text(message_text(old[i]), message_text(new[k]), allowance)
    return MessageDiff(kind, role, old_role if old_role != role else None, i + 1, k + 1, parts)


def _single(message: dict[str, Any], old_number: int | None, new_number: int | None) -> MessageDiff:
    kind: Kind = "delete" if new_number is None else "insert"
    parts = [Part(kind, message_text(message))]
    return MessageDiff(
        "removed" if new_number is None else "added", message["role"], None, old_number, new_number, parts
    )


def message_text(message: Mapping[str, Any]) -> str:
    """A message's text as a person reads it: content, then what else it carries."""
    if message["role"] == "placeholder":
        return f"messages from “{message['name']}”"
    lines = [message.get("content") or ""]
    if message.get("name"):
        lines.append(f"name: {message['name']}")
    if message.get("tool_call_id"):
        lines.append(f"answers the call: {message['tool_call_id']}")
    for call in message.get("tool_calls", ()):
        lines.append(f"calls {call['function']['name']} with {call['function']['arguments']}")
    return "\n".join(line for line in lines if line)


def _diff_parameters(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[ValueDiff]:
    before, after = flat_parameters(old), flat_parameters(new)
    names = list(dict.fromkeys([*before, *after]))
    return [
        ValueDiff(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _diff_includes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[ValueDiff]:
    """References that both have and that came to different versions; what one has only is in its text."""
    return [
        ValueDiff(reference, f"version {old[reference]['version']}", f"version {entry['version']}")
        for reference, entry in new.items()
        if reference in old and old[reference]["version"] != entry["version"]
    ]


def flat_parameters(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as texts by name; those inside `extra` stand beside the others."""
    flat: dict[str, str] = {}
    for name, value in parameters.items():
        if name == "extra":
            flat |= {key: value_text(item) for key, item in value.items()}
        else:
            flat[name] = value_text(value)
    return flat


def value_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(f"“{item}”".replace("\n", "⏎") for item in value)
    return json.dumps(value, ensure_ascii=False)


def _diff_json(old: Any, new: Any) -> list[Part]:
    if old == new:
        return []
    return diff_text(pretty_json(old), pretty_json(new))


def pretty_json(value: Any) -> str:
    """Indented JSON for people to read; "" for None."""
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)
