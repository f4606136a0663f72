"""Prompts as a trainer takes them: lists of messages, and their hashes.

Plain Python. The columns are those of TRL's conversational formats ("dataset formats" in its documentation;
`trl.data_utils.is_conversational` reads them so): a message is {"role", "content"} with text as its content.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

#: Roles that every chat template knows. "developer" is the newer name of "system".
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_SPACE = re.compile(r"\s+")
_NO_WORD = re.compile(r"[^\w\s]+")


class Unusable(Exception):
    """The prompt cannot be trained on; `reason` is one of `reasons.REASONS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def trained_prompt(messages: Any) -> list[dict[str, str]]:
    """The messages with role and text only. Raises Unusable.

    The last one must be a user's: what follows it is what is learned. Chat templates write calls of tools
    each in their own way, so a conversation with tools is not used.
    """
    if not isinstance(messages, list) or not messages:
        raise Unusable("no_prompt")
    prompt = [_message(message) for message in messages]
    if prompt[-1]["role"] != "user":
        raise Unusable("not_asked")
    if not prompt[-1]["content"].strip():
        raise Unusable("no_prompt")
    return prompt


def _message(message: Any) -> dict[str, str]:
    if not isinstance(message, Mapping):
        raise Unusable("no_prompt")
    if message.get("role") in ("tool", "function") or message.get("tool_calls"):
        raise Unusable("tools")
    role = _ROLES.get(str(message.get("role")))
    if role is None:
        raise Unusable("no_prompt")
    return {"role": role, "content": _text(message.get("content"))}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise Unusable("not_text")
    parts = [part for part in content if isinstance(part, Mapping) and part.get("type") == "text"]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    if len(texts) != len(content):
        raise Unusable("not_text")
    return "".join(texts)


def assistant(text: str) -> list[dict[str, str]]:
    """The column of an answer: one message."""
    return [{"role": "assistant", "content": text}]


def normalised(text: str) -> str:
    """The same for texts that differ only in case, spacing, or the way that Unicode writes a character."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()


def near(text: str) -> str:
    """`normalised`, and without punctuation."""
    return _SPACE.sub(" ", _NO_WORD.sub(" ", normalised(text))).strip()


def prompt_hash(prompt: Sequence[Mapping[str, str]]) -> str:
    """SHA-256 (hex) of the normalised prompt, whose side of the split follows from it."""
    return _digest([[message["role"], normalised(message["content"])] for message in prompt])


def question_hash(prompt: Sequence[Mapping[str, str]]) -> str:
    """Of the one question of a prompt; "" for a conversation."""
    questions = [message["content"] for message in prompt if message["role"] == "user"]
    return text_hash(questions[0]) if len(questions) == 1 else ""


def text_hash(text: str) -> str:
    return _digest(normalised(text))


def inputs_hash(inputs: Any) -> str:
    """Of a prompt's inputs by name; "" where there are none."""
    if not isinstance(inputs, Mapping) or not inputs:
        return ""
    return _digest({name: normalised(_as_text(value)) for name, value in inputs.items()})


def content_hash(prompt: Sequence[Mapping[str, str]], *rest: Any) -> str:
    """Of a row, exactly."""
    return _digest([list(map(dict, prompt)), *rest])


def near_hash(prompt: Sequence[Mapping[str, str]], *texts: str) -> str:
    """Of a row's texts as `near` reads them."""
    return _digest([[near(message["content"]) for message in prompt], *map(near, texts)])


def split_of(hash_of_prompt: str, *, train: int, validation: int) -> str:
    """The side that a prompt is on: the same in every set with the same shares (percents)."""
    place = int(hash_of_prompt[:12], 16) / 16**12 * 100
    if place < train:
        return "train"
    return "validation" if place < train + validation else "test"


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
