"""The prompt editor as plain form posts: rows of messages, and the fields beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.http import QueryDict

from apps.core.errors import ProductError
from apps.core.forms import ProductForm
from apps.prompts.content import VersionContent
from apps.prompts.json_words import json_words
from apps.prompts.messages import MAX_MESSAGES, PLACEHOLDER, ROLES
from apps.prompts.models import PromptVersion
from apps.prompts.parameters import NUMBERS

ROLE_CHOICES = (*ROLES, PLACEHOLDER)
_ROW = re.compile(r"^messages-(\d{1,6})-(role|content|name|tool_call_id|tool_calls)$")
_PLACE = re.compile(r"^messages\[(\d+)\](?:\.(\w+))?")
_PARTS = ("content", "name", "tool_call_id", "tool_calls")


@dataclass(slots=True)
class MessageRow:
    """One message as it stands in the form: all text, whatever was typed, with what is wrong with it."""

    role: str = "user"
    content: str = ""
    name: str = ""
    tool_call_id: str = ""
    tool_calls: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def has_tool_parts(self) -> bool:
        return bool(self.tool_call_id or self.tool_calls)

    def as_raw(self, place: str, errors: dict[str, list[str]]) -> dict[str, Any]:
        """The message as raw JSON for the services; tool calls that are no JSON are told in `errors`."""
        raw: dict[str, Any] = {"role": self.role}
        calls = _json(self.tool_calls, f"{place}.tool_calls", errors)
        if self.content or (self.role != PLACEHOLDER and not calls):
            raw["content"] = self.content
        for key in ("name", "tool_call_id"):
            if getattr(self, key):
                raw[key] = getattr(self, key)
        return raw | ({"tool_calls": calls} if calls else {})


def rows_of(messages: Iterable[Mapping[str, Any]]) -> list[MessageRow]:
    """A version's messages as rows."""
    return [
        MessageRow(
            role=message["role"],
            content=message.get("content") or "",
            name=message.get("name", ""),
            tool_call_id=message.get("tool_call_id", ""),
            tool_calls=_pretty(message.get("tool_calls")),
        )
        for message in messages
    ]


def posted_rows(post: QueryDict) -> list[MessageRow]:
    """The rows of a post, in the order of their numbers; gaps do not matter."""
    found: dict[int, dict[str, Any]] = {}
    for key in post:
        match = _ROW.match(key)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = str(post[key]).replace("\r\n", "\n")
    return [MessageRow(**found[number]) for number in sorted(found)][: MAX_MESSAGES + 1]


def rearranged(rows: list[MessageRow], command: str) -> list[MessageRow]:
    """What the buttons of the rows do where JavaScript does not: "add", "remove-2", "up-2", "down-2"."""
    verb, _, number = command.partition("-")
    index = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else -1
    rows = list(rows)
    if verb == "add":
        rows.append(MessageRow(role="assistant" if rows and rows[-1].role == "user" else "user"))
    elif verb == "remove" and 0 <= index < len(rows) > 1:
        del rows[index]
    elif verb in ("up", "down"):
        other = index - 1 if verb == "up" else index + 1
        if min(index, other) >= 0 and max(index, other) < len(rows):
            rows[index], rows[other] = rows[other], rows[index]
    return rows


class VersionForm(ProductForm):
    """Everything of a version but its messages. Ranges are checked by the service, which names the field."""

    model = forms.ChoiceField(required=False)
    temperature = forms.FloatField(required=False, widget=forms.TextInput({"inputmode": "decimal"}))
    top_p = forms.FloatField(label="Top p", required=False, widget=forms.TextInput({"inputmode": "decimal"}))
    max_tokens = forms.IntegerField(
        label="Max tokens", required=False, widget=forms.TextInput({"inputmode": "numeric"})
    )
    seed = forms.IntegerField(required=False, widget=forms.TextInput({"inputmode": "numeric"}))
    stop = forms.CharField(
        label="Stop texts",
        required=False,
        strip=False,
        widget=forms.Textarea({"rows": 2}),
        help_text="One a line; the answer ends before the first that comes up. \\n stands for a line break.",
    )
    extra = forms.CharField(
        label="Other parameters",
        required=False,
        widget=forms.Textarea({"rows": 3, "data-controller": "editor", "data-editor-language-value": "json"}),
        help_text="A JSON object that is sent to the provider as it is.",
    )
    tools = forms.CharField(
        required=False,
        widget=forms.Textarea({"rows": 4, "data-controller": "editor", "data-editor-language-value": "json"}),
        help_text="A JSON list of functions the model may call.",
    )
    response_schema = forms.CharField(
        label="Response schema",
        required=False,
        widget=forms.Textarea({"rows": 4, "data-controller": "editor", "data-editor-language-value": "json"}),
        help_text="A JSON schema that the answer must fit.",
    )
    commit_message = forms.CharField(
        label="Commit message",
        required=False,
        max_length=500,
        widget=forms.TextInput({"placeholder": "What changed, and why"}),
    )
    parent = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)

    PARAMETERS = ("model", "temperature", "top_p", "max_tokens", "seed", "stop", "extra")

    def __init__(self, *args: Any, models: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = str(self["model"].value() or "")
        names = list(models)
        if chosen and chosen not in names:
            names.insert(
                0, chosen
            )  # a model that was taken away since stays chosen until somebody changes it
        choices = [("", "None: a run must choose one"), *((name, name) for name in names)]
        self.fields["model"].choices = choices  # type: ignore[attr-defined]

    @classmethod
    def of_version(
        cls, version: PromptVersion | None, *, parent: int | None, models: Iterable[str]
    ) -> VersionForm:
        """Unbound, filled with what `version` is made of."""
        if version is None:
            return cls(models=models)
        return cls(initial=typed_values(version) | {"parent": parent}, models=models)

    def raw_content(self, errors: dict[str, list[str]]) -> dict[str, Any]:
        """parameters, tools and response_schema as raw JSON; texts that are no JSON are told in `errors`."""
        cleaned = self.cleaned_data
        parameters = {name: cleaned.get(name) for name in ("model", *NUMBERS)}
        lines = cleaned.get("stop", "").replace("\r\n", "\n").split("\n")
        parameters["stop"] = [unescaped(line) for line in lines if line]
        parameters["extra"] = _json(cleaned.get("extra", ""), "parameters.extra", errors)
        return {
            "parameters": parameters,
            "tools": _json(cleaned.get("tools", ""), "tools", errors),
            "response_schema": _json(cleaned.get("response_schema", ""), "response_schema", errors),
        }


def typed_values(version: PromptVersion | VersionContent) -> dict[str, Any]:
    """What stands in the form's fields for what `version` is made of, its messages aside."""
    return {name: version.parameters.get(name) for name in ("model", *NUMBERS)} | {
        "stop": "\n".join(map(escaped, version.parameters.get("stop", []))),
        "extra": _pretty(version.parameters.get("extra")),
        "tools": _pretty(version.tools),
        "response_schema": _pretty(version.response_schema),
    }


@dataclass(slots=True)
class Editor:
    """The editor's whole form: its rows and its fields, bound or not."""

    rows: list[MessageRow]
    form: VersionForm
    errors: list[str] = field(default_factory=list)

    def raw(self) -> dict[str, Any] | None:
        """Raw JSON for `prompt_version_create`; None, with the errors shown in place, when it is not JSON."""
        errors: dict[str, list[str]] = {}
        messages = [row.as_raw(f"messages[{i}]", errors) for i, row in enumerate(self.rows)]
        content = self.form.raw_content(errors) if self.form.is_valid() else {}
        self.show(errors)
        if errors or not self.form.is_valid():
            return None
        return {"messages": messages, **content, "commit_message": self.form.cleaned_data["commit_message"]}

    def show_error(self, error: ProductError) -> None:
        """Show what a service refused, at the rows and fields it names, else above the form."""
        if error.fields:
            self.show(error.fields)
        else:
            self.errors.append(error.detail)

    def show(self, errors: Mapping[str, list[str]]) -> None:
        for place, texts in errors.items():
            match = _PLACE.match(place)
            if match and int(match[1]) < len(self.rows):
                part = "" if match[2] in (None, "content") else f"{_rest(place)}: "
                self.rows[int(match[1])].errors += [f"{part}{text}" for text in texts]
                continue
            name = re.split(r"[.\[]", place.removeprefix("parameters."))[0]
            where = _rest(place) if name in ("tools", "response_schema", "extra") else ""
            shown = [f"{where}: {text}" if where and where != name else text for text in texts]
            if name in self.form.fields:
                self.form.add_error(name, shown)
            else:
                self.errors += [text if name == "messages" else f"{place}: {text}" for text in texts]


_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escaped(text: str) -> str:
    """`text` on one line: line breaks and tabs as \\n, \\r and \\t, a backslash as two."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def unescaped(line: str) -> str:
    """What `escaped` was given; a backslash before anything else stays as it is."""
    back = {written: character for character, written in _ESCAPES.items()}
    return re.sub(r"\\[\\nrt]", lambda match: back[match[0]], line)


def _rest(place: str) -> str:
    """The part of a place that says where within a row or field: "tool_calls[0].function.name"."""
    return re.sub(r"^(messages\[\d+\]|parameters|response_schema|extra)\.", "", place)


def _json(text: str, place: str, errors: dict[str, list[str]]) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        errors[place] = [json_words(error)]
    except (ValueError, RecursionError) as error:
        errors[place] = [f"This is not JSON: {error}."]
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
