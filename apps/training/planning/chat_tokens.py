"""Rows as the base's chat template writes them, and their tokens. For workers; loads no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.providers.chat_template.rendering import ChatTemplate, Messages

_CHARS_A_TOKEN = 4


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

    Raises OSError, ValueError, KeyError and TypeError where they cannot be read.
    """

    exact = True

    def __init__(self, folder: Path, name: str) -> None:
        from tokenizers import Tokenizer

        self.name = name
        text = (folder / "tokenizer.json").read_text(encoding="utf-8")
        try:
            self._tokenizer: Any = Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"tokenizer.json of {name} cannot be read: {error}") from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._template = ChatTemplate.of_folder(folder)

    def render(self, messages: Messages, *, asks: bool = False) -> str:
        """The conversation as text; with `asks`, up to where the model answers. Raises TemplateRefused."""
        return self._template.render(messages, asks=asks)

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
