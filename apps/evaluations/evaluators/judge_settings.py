"""The settings that all judges have: which model is asked, with which version of which prompt."""

from __future__ import annotations

from .base import JsonSchema
from .settings import flag, line

LATEST = "latest"


def judge_settings(default_prompt: str) -> dict[str, JsonSchema]:
    """`model`, `prompt`, `prompt_version` and `structured`, for a kind whose default prompt has that slug."""
    return {
        "model": line(
            "Model",
            "Who judges, written provider/model: any model of this project.",
            longest=300,
            default=None,
        )
        | {"x-choices": "models"},
        "prompt": line(
            "Prompt",
            "The judge's instructions: the slug of a prompt of this project. The default is made when it is "
            "first needed; edit it like any other. It may use inputs, output, reference and metadata.",
            longest=80,
            default=default_prompt,
        )
        | {"x-choices": "prompts"},
        "prompt_version": line(
            "Version of the prompt",
            "A number, a label, or “latest”; saving turns it into the number that it stands for then.",
            longest=60,
            default=LATEST,
        ),
        "structured": flag(
            "Send a JSON schema",
            "Let the provider hold the answer to its JSON schema. Turn it off for endpoints that refuse one; "
            "the embedded model is never sent one.",
            True,
        ),
    }
