"""Prompts and versions for tests."""

from __future__ import annotations

from itertools import count
from typing import Any

from apps.core.actor import Actor
from apps.core.models import Project
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.services import prompt_create, prompt_version_create

_numbers = count(1)
SYSTEM = Actor.system("tests")


def make_prompt(project: Project, name: str | None = None, **fields: Any) -> Prompt:
    """A prompt without versions."""
    return prompt_create(project=project, by=SYSTEM, name=name or f"Prompt {next(_numbers)}", **fields)


def make_version(prompt: Prompt, text: str | None = None, by: Actor = SYSTEM, **fields: Any) -> PromptVersion:
    """The next version, by default one whose text no other version has."""
    messages = fields.pop("messages", None)
    if messages is None:
        messages = [
            {"role": "user", "content": text or f"Correct this ({next(_numbers)}): {{{{ sentence }}}}"}
        ]
    return prompt_version_create(prompt=prompt, by=by, messages=messages, **fields)
