"""Settings of an evaluator on their way in: checked against the kind, and fit to be stored."""

from __future__ import annotations

import json
from typing import Any

from apps.evaluations.evaluator_errors import InvalidConfig, UnknownKind
from apps.evaluations.evaluators import (
    EvaluatorKind,
    InvalidEvaluatorConfig,
    UnknownEvaluatorKind,
    complete_config,
    kind,
)

MAX_CONFIG_CHARACTERS = 100_000


def evaluator_kind(name: str) -> EvaluatorKind:
    """The kind called `name`. Raises UnknownKind, which lists the kinds there are."""
    try:
        return kind(name)
    except UnknownEvaluatorKind as error:
        raise UnknownKind(str(error), fields={"kind": [str(error)]}) from error


def checked_config(of: EvaluatorKind, config: Any) -> dict[str, Any]:
    """Complete settings of the kind, that the database can hold.

    Raises InvalidConfig; its fields are called `config.pattern` after the setting, or `config` for the whole.
    """
    problem = _unstorable(config)
    if problem:
        raise InvalidConfig(problem, fields={"config": [problem]})
    try:
        return complete_config(of, config)
    except InvalidEvaluatorConfig as error:
        fields = {name if name == "config" else f"config.{name}": text for name, text in error.fields.items()}
        told = "; ".join(f"{_title(of, name)}: {' '.join(text)}" for name, text in error.fields.items())
        raise InvalidConfig(f"{of.title} cannot be set up like this. {told}", fields=fields) from error


def _title(of: EvaluatorKind, name: str) -> str:
    return str(of.config_schema["properties"].get(name, {}).get("title", name))


def _unstorable(config: Any) -> str:
    """Why the database could not hold this; "" when it can."""
    try:
        text = json.dumps(config, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return "Half of a surrogate pair is not a character."
    except (ValueError, RecursionError):
        return "NaN, infinity and very deep nesting are not allowed."
    if len(text) > MAX_CONFIG_CHARACTERS:
        return f"The settings are longer than {MAX_CONFIG_CHARACTERS:,} characters."
    return "NUL characters are not allowed." if _holds_nul(config) else ""


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(entry) for key, entry in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\x00" in value
