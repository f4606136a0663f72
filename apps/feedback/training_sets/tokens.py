"""How long rows are in tokens, as a chat template writes them. For workers: reads the tokenizer's file."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from apps.feedback.training_sets.recipe import EMBEDDED
from apps.providers.local_model.folder import LocalModelUnavailable, is_installed, is_prepared, model_folder

log = logging.getLogger(__name__)
Conversation = Sequence[Mapping[str, str]]
_CHARS_A_TOKEN = 4
_PREPARING_S = 300
#: What a chat template writes around a message, in the estimate.
_MARKS = 4


class Counter(Protocol):
    """Counts tokens. `exact` is False for an estimate; `name` says whose tokens they are."""

    name: str
    exact: bool

    def count(self, conversations: Sequence[Conversation]) -> list[int]: ...


class Estimate:
    name = "an estimate, a token for each 4 characters"
    exact = False

    def count(self, conversations: Sequence[Conversation]) -> list[int]:
        return [
            sum(len(message["content"]) // _CHARS_A_TOKEN + 1 + _MARKS for message in conversation)
            for conversation in conversations
        ]


@dataclass
class FolderTokenizer:
    """The tokenizer and chat template of a model folder."""

    folder: Path
    name: str
    exact: bool = True

    def __post_init__(self) -> None:
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._marks = _special_tokens(self.folder)
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._template = environment.from_string(_chat_template(self.folder))

    def count(self, conversations: Sequence[Conversation]) -> list[int]:
        texts = [
            self._template.render(messages=list(conversation), add_generation_prompt=False, **self._marks)
            for conversation in conversations
        ]
        return [len(encoded.ids) for encoded in self._tokenizer.encode_batch(texts, add_special_tokens=False)]


def counter_for(choice: str) -> Counter:
    """The tokenizer that a recipe names; the estimate where the embedded model is not installed."""
    if choice != EMBEDDED:
        return Estimate()
    models = settings.STACK.models
    try:
        if is_installed() and not is_prepared(models):
            _prepare()
        return FolderTokenizer(model_folder(models).path, "the embedded model (SmolLM2)")
    except (LocalModelUnavailable, OSError, subprocess.SubprocessError) as error:
        log.warning("Tokens are estimated: %s", error)
        return Estimate()


def _prepare() -> None:
    """In a process of its own: converting the model needs PyTorch, which would stay in this one's memory."""
    subprocess.run(
        [sys.executable, "-m", "django", "prepare_local_model"],
        cwd=settings.BASE_DIR,
        check=True,
        capture_output=True,
        timeout=_PREPARING_S,
    )


def _chat_template(folder: Path) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    return str(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))["chat_template"])


def _special_tokens(folder: Path) -> dict[str, str]:
    """The tokens that templates name: bos_token, eos_token, …"""
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return {
        name: value if isinstance(value, str) else str(value.get("content", ""))
        for name, value in config.items()
        if name.endswith("_token") and value
    }
