"""A project with many prompts, made quickly: what a benchmark of their list looks through."""

from __future__ import annotations

import random

from apps.core.models import Project
from apps.prompts.models import Prompt, PromptLabel, PromptVersion
from tests.benchmarks.prompt_list import RARE, VERSIONS

TAGS = ("billing", "support", "draft", "legal", "english", "german", "tested", "old")
_TEXT = (
    "answer the question as shortly as you can with what the customer wrote and nothing else check each "
    "number twice keep names dates amounts in their own language write no greeting cite the paragraph that "
    "supports it when unsure say so return plain text a list of points summary translate correct grammar"
)
_WORDS = _TEXT.split()


def make_prompts(slug: str, count: int, *, words: int = 120) -> Project:
    """`count` prompts with three versions of `words` words each, in 60 folders, with tags and a label."""
    project = Project.objects.get(slug=slug)
    chance = random.Random(7)  # the same every time
    author = {"author_kind": "system", "author_label": "bench"}
    prompts = [
        Prompt(
            project=project,
            slug=f"prompt-{number}",
            name=f"Prompt {number} for {chance.choice(_WORDS)}",
            folder=f"team-{number % 6}/area-{number % 60}",
            tags=sorted(chance.sample(TAGS, number % 3)),
            **author,
        )
        for number in range(count)
    ]
    Prompt.objects.bulk_create(prompts, batch_size=1000)
    versions = [
        _version(prompt, number, chance, words, rare=index % 100 == 0 and number == 2)
        for index, prompt in enumerate(prompts)
        for number in range(1, VERSIONS + 1)
    ]
    for version in versions:
        version.author_kind, version.author_label = "system", "bench"
    PromptVersion.objects.bulk_create(versions, batch_size=1000)
    labels = [
        PromptLabel(prompt=version.prompt, name="production", version=version)
        for version in versions
        if version.number == 2
    ]
    PromptLabel.objects.bulk_create(labels, batch_size=1000)
    return project


def _version(prompt: Prompt, number: int, chance: random.Random, words: int, *, rare: bool) -> PromptVersion:
    text = " ".join(chance.choices(_WORDS, k=words)) + (f" {RARE}" if rare else "")
    messages = [{"role": "system", "content": text}, {"role": "user", "content": "{{ text }}"}]
    note = f"Change {number}"
    return PromptVersion(
        prompt=prompt,
        number=number,
        messages=messages,
        parameters={"model": "paced/loop-small", "temperature": 0},
        variables=["text"],
        commit_message=note,
        search_text=f"{note}\n{text}\n{{{{ text }}}}",
    )
