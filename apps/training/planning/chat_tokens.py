"""Rows as the base's chat template writes them, and their tokens. For workers; loads no weights.

Reads tokenizer.json by the library tokenizers and the chat template by Jinja's sandbox, as transformers does
(`apply_chat_template`): the same whitespace control, tags and functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

Messages = Sequence[Mapping[str, str]]
_CHARS_A_TOKEN = 4


class TemplateRefused(Exception):
    """The base's chat template does not take these messages; the message says why."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """`text` in tokens; `ends` holds where each token ends in it, in characters."""

    text: str
    ends: list[int]

    @property
    def tokens(self) -> int:
        return len(self.ends)


class ChatTokenizer:
    """The tokenizer and chat template of a model folder.

    Raises OSError, ValueError, KeyError, and jinja2.TemplateError for a template that is none.
    """

    exact = True

    def __init__(self, folder: Path, name: str) -> None:
        from tokenizers import Tokenizer

        self.name = name
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        try:
            self._tokenizer: Any = Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"tokenizer.json of {name} cannot be read: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._marks = _special_tokens(config)
        self._template = _environment().from_string(_chat_template(folder, config))

    def render(self, messages: Messages, *, asks: bool = False) -> str:
        """The conversation as text; with `asks`, up to where the model answers. Raises TemplateRefused."""
        try:
            return self._template.render(
                messages=list(messages),
                tools=None,
                documents=None,
                add_generation_prompt=asks,
                **self._marks,
            )
        except TemplateRefused:
            raise
        except Exception as error:
            raise TemplateRefused(f"The chat template fails on these messages: {error}") from error

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        batch = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [
            Encoded(text, [end for _, end in each.offsets]) for text, each in zip(texts, batch, strict=True)
        ]


class EstimatedTokens:
    """Where the base's tokenizer is not at hand: a token for each four characters, messages by role."""

    exact = False
    name = "an estimate, a token for each 4 characters"

    def render(self, messages: Messages, *, asks: bool = False) -> str:
        text = "".join(f"{message['role']}: {message['content']}\n" for message in messages)
        return f"{text}assistant: " if asks else text

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        return [
            Encoded(text, [*range(_CHARS_A_TOKEN, len(text), _CHARS_A_TOKEN), *([len(text)] if text else [])])
            for text in texts
        ]


Tokens = ChatTokenizer | EstimatedTokens


def _environment() -> Environment:
    """As transformers.utils.chat_template_utils makes it."""
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks in a template what the model says; it renders what stands in it."""

        tags = {"generation"}

        def parse(self, parser: Parser) -> nodes.Node:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

        def _body(self, caller: Callable[[], str]) -> str:
            return caller()

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals |= {"raise_exception": _refuse, "strftime_now": _now}
    return environment


def _chat_template(folder: Path, config: Mapping[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    found = config["chat_template"]
    if isinstance(found, list):  # several by name
        found = {each["name"]: each["template"] for each in found}["default"]
    return str(found)


def _special_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """The tokens that templates name: bos_token, eos_token, …"""
    return {
        name: value if isinstance(value, str) else str(value.get("content", ""))
        for name, value in config.items()
        if name.endswith("_token") and isinstance(value, str | dict) and value
    }


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own writes HTML's signs as escapes."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _refuse(message: str) -> None:
    raise TemplateRefused(str(message))


def _now(format: str) -> str:
    return datetime.now().strftime(format)  # noqa: DTZ005  # as transformers gives it
