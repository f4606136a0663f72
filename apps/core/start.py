"""The first steps in a new project, each a link into the room where it is done."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse

from apps.core.models import Project


@dataclass(frozen=True)
class Step:
    title: str
    text: str
    icon: str
    url: str


#: title, text, icon, URL name: higher rooms are known here by name only.
_STEPS = (
    (
        "Connect a provider",
        "The embedded model needs nothing; OpenAI, vLLM and the like need an address and a key.",
        "plug-connected",
        "providers:list",
    ),
    (
        "Write a prompt",
        "Messages with variables and parameters. Each save is a version that never changes.",
        "message-2-code",
        "prompts:list",
    ),
    (
        "Import a dataset",
        "CSV, JSONL or Parquet: the inputs that your prompt gets, and the answers you would like.",
        "table",
        "datasets:list",
    ),
    (
        "Run an evaluation",
        "Every example is answered by the model and scored by the evaluators you choose.",
        "player-play",
        "evaluations:run-list",
    ),
    (
        "Compare",
        "Two runs over one dataset: the paired difference, how sure it is, and the outputs side by side.",
        "scale",
        "evaluations:comparison-list",
    ),
)


def next_steps(project: Project) -> list[Step]:
    """The steps from nothing to a comparison, in order."""
    steps = []
    for title, text, icon, name in _STEPS:
        try:
            steps.append(Step(title, text, icon, reverse(name, args=[project.slug])))
        except NoReverseMatch:  # that room is not part of this installation
            continue
    return steps
