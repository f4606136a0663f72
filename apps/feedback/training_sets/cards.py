"""What stands beside a set's files: a card in the form that `datasets.load_dataset` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from apps.feedback.models import TrainingSet
from apps.feedback.training_sets.reasons import reason_in_words
from apps.feedback.training_sets.recipe import CONFLICTS, SOURCES, read_recipe

if TYPE_CHECKING:
    from apps.feedback.training_sets.exporting import TrainingFile

_COLUMNS = {
    "sft": "`prompt` and `completion`, lists of messages",
    "kto": "`prompt` and `completion`, lists of messages, and `label`: whether people liked it",
    "dpo": "`prompt`, `chosen` and `rejected`, lists of messages",
}


def card(training_set: TrainingSet, files: Sequence[TrainingFile]) -> str:
    """Markdown, with a head that names the files of each split."""
    version = training_set.dataset_version
    assert version is not None
    return "\n".join(
        [
            *_head(files),
            f"# {_plain(training_set.name)}",
            "",
            f"Training set {training_set.number} for {training_set.method.upper()}, frozen as version "
            f"{version.number} of the dataset “{_plain(version.dataset.name)}”: "
            f"{version.example_count} rows made from people's judgements.",
            "",
            f"Columns: {_COLUMNS[training_set.method]}.",
            "",
            "## Files",
            "",
            *(f"- `{file.name}`{_size(file)}" for file in files if file.format != "card"),
            "",
            *_origin(training_set),
            *_left_out(training_set.figures),
            "## Lineage",
            "",
            "The lineage file names, for each row, the judgements it came from: feedback, annotations and "
            "votes by their ids. People are not named in it.",
            "",
        ]
    )


def _head(files: Sequence[TrainingFile]) -> list[str]:
    named = [file for file in files if file.format == "trl"]
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for file in named:
        lines += [f"  - split: {file.split}", f"    path: {file.name}"]
    return [*lines, "---", ""]


def _origin(training_set: TrainingSet) -> list[str]:
    recipe, figures = read_recipe(training_set.settings), training_set.figures
    made: dict[str, Any] = figures.get("made_from", {})
    filters = [
        f"{name} {value}"
        for name, value in (
            ("prompt", recipe.prompt),
            ("version", recipe.version),
            ("model", recipe.model),
            ("queue", recipe.queue),
            ("from", recipe.since),
            ("until", recipe.until),
        )
        if value
    ]
    return [
        "## Where the rows come from",
        "",
        *(f"- {SOURCES[name]}" for name in recipe.sources),
        *([f"- Only: {_plain(', '.join(filters))}"] if filters else []),
        *(f"- Rows from {kind}s: {count}" for kind, count in made.items()),
        f"- Where raters differ: {CONFLICTS[recipe.conflicts].lower()}",
        f"- Split by a hash of the normalised prompt, {recipe.train}/{recipe.validation}/{recipe.test} "
        "percent: no prompt is on two sides",
        "",
    ]


def _left_out(figures: dict[str, Any]) -> list[str]:
    found: dict[str, int] = figures.get("left_out", {})
    if not found:
        return []
    lines = [f"- {reason_in_words(reason)}: {count}" for reason, count in found.items()]
    return ["## What was left out", "", *lines, ""]


def _size(file: TrainingFile) -> str:
    return "" if file.rows is None else f" ({file.rows} rows)"


def _plain(text: str) -> str:
    """On one line: names are given by people."""
    return " ".join(text.split())
