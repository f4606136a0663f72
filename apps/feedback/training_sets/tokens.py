"""How long rows are in tokens, as a chat template writes them. For workers: reads the tokenizer's file."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from apps.feedback.training_sets.recipe import EMBEDDED
from apps.providers.chat_template.rendering import ChatTemplate
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
        from tokenizers import Tokenizer

        self._tokenizer: Any = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._template = ChatTemplate.of_folder(self.folder)

    def count(self, conversations: Sequence[Conversation]) -> list[int]:
        texts = [self._template.render(conversation) for conversation in conversations]
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
