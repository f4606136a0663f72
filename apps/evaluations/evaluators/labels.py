"""Reading a category out of an output, and out of a reference."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .base import Config, InvalidEvaluatorConfig, JsonSchema
from .json_paths import InvalidPath, found_at, parse_path
from .json_reading import MAX_CHARACTERS, NotJson, read_json
from .references import as_text
from .settings import choice, flag, line, lines
from .text_match import PATTERN_TIMEOUT_S, compiled_pattern

LONGEST_LABEL = 200
_EDGES = " \t\r\n.,;:!?\"'`*_()[]{}<>“”‘’«»#-–—"

READING: dict[str, JsonSchema] = {
    "extract": choice(
        "Where the category is",
        "How it is read out of an output.",
        {
            "whole": "the whole output",
            "first_line": "the first line",
            "last_line": "the last line",
            "regex": "where a pattern matches",
            "json_path": "at a path of the JSON output",
            "mentioned": "the category that is mentioned",
        },
    ),
    "pattern": line(
        "Pattern", "For a pattern: its first group is the category, or the whole match where it has none."
    ),
    "json_path": line("JSON path", "For a path: such as $.label or $.result[0].category.", longest=500),
    "labels": lines(
        "Categories",
        "All there are, one a line. What is none of them counts as no category. Left empty: any text is one.",
        most=500,
    ),
    "ignore_case": flag("Ignore case", "“Spam” and “spam” are the same category.", True),
}

TextsOf = Callable[[str], list[str]]
"""From an output to the texts that may name categories. Raises Unreadable."""


class Unreadable(ValueError):
    """No category can be read; the message says why."""


class LabelReader:
    """Reads categories under the settings. Raises InvalidEvaluatorConfig for settings that do not fit."""

    def __init__(self, config: Config) -> None:
        self._fold = str.casefold if config["ignore_case"] else str
        self._known = {self._spelling(label): label for label in config["labels"]}
        self._texts = _texts_of(config, self._mentioned)

    def known(self, text: str) -> str | None:
        """The category that `text` names; None when it names none. Marks around it do not count."""
        spelling = self._spelling(text)
        if self._known:
            return self._known.get(spelling)
        return spelling[:LONGEST_LABEL] or None

    def texts(self, output: str) -> list[str]:
        """What stands where categories are looked for. Raises Unreadable."""
        if len(output) > MAX_CHARACTERS:
            raise Unreadable(f"The output is longer than {MAX_CHARACTERS:,} characters and was not read.")
        return self._texts(output)

    def _spelling(self, text: str) -> str:
        text = "".join(char for char in " ".join(text.split()) if char.isprintable())  # fit to be stored
        return self._fold(text.strip(_EDGES) or text)

    def _mentioned(self, output: str) -> list[str]:
        """The categories that occur as words, in the order of their first mention; longer ones first."""
        text, found = self._fold(output), []
        for spelling in sorted(self._known, key=len, reverse=True):
            hit = re.search(rf"(?<!\w){re.escape(spelling)}(?!\w)", text)
            if hit:
                found.append((hit.start(), self._known[spelling]))
                text = re.sub(  # a category inside of a longer one (“spam” in “not spam”) is not mentioned
                    rf"(?<!\w){re.escape(spelling)}(?!\w)", lambda m: "\0" * len(m.group()), text
                )
        return [label for _, label in sorted(found)]


def _texts_of(config: Config, mentioned: TextsOf) -> TextsOf:
    match config["extract"]:
        case "first_line":
            return lambda output: [next((row for row in output.splitlines() if row.strip()), "")]
        case "last_line":
            return lambda output: [next((r for r in reversed(output.splitlines()) if r.strip()), "")]
        case "regex":
            return _by_pattern(config["pattern"])
        case "json_path":
            return _by_path(config["json_path"])
        case "mentioned":
            if not config["labels"]:
                raise InvalidEvaluatorConfig({"labels": ["Name the categories to look for."]})
            return mentioned
        case _:
            return lambda output: [output]


def _by_pattern(pattern: str) -> TextsOf:
    if not pattern:
        raise InvalidEvaluatorConfig({"pattern": ["Give the pattern to look for."]})
    compiled = compiled_pattern(pattern)

    def texts(output: str) -> list[str]:
        try:
            hits = list(compiled.finditer(output, timeout=PATTERN_TIMEOUT_S))
        except TimeoutError:
            raise Unreadable(f"The pattern took longer than {PATTERN_TIMEOUT_S} s on this output.") from None
        return [hit.group(1 if compiled.groups else 0) or "" for hit in hits]

    return texts


def _by_path(path: str) -> TextsOf:
    try:
        steps = parse_path(path)
    except InvalidPath as error:
        raise InvalidEvaluatorConfig({"json_path": [str(error)]}) from error
    if not steps:
        raise InvalidEvaluatorConfig({"json_path": ["Give the path to the category, such as $.label."]})

    def texts(output: str) -> list[str]:
        try:
            value = read_json(output, accept_code_block=True)
        except NotJson:
            return []
        found = list(found_at(value, steps))
        return [as_text(entry) for one in found for entry in (one if isinstance(one, list) else [one])]

    return texts


def reference_labels(reference: Any) -> list[str]:
    """The texts of a reference that names categories: itself, or the entries of a list."""
    return [as_text(entry) for entry in (reference if isinstance(reference, list) else [reference])]
