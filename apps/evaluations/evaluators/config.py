"""Checks the settings of an evaluator against its kind's schema and fills in the defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .base import Config, EvaluatorKind, InvalidEvaluatorConfig

if TYPE_CHECKING:
    from jsonschema import ValidationError

TYPE_NAMES = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "an object",
}


#: What goes wrong with an entry of a list rather than with the settings themselves.
ENTRY_RULES = ("required", "additionalProperties")


def default_config(kind: EvaluatorKind) -> dict[str, Any]:
    """The settings a new evaluator of this kind starts from; those without a default are absent."""
    properties: dict[str, dict[str, Any]] = kind.config_schema["properties"]
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}


def complete_config(kind: EvaluatorKind, config: object) -> dict[str, Any]:
    """`config` with the defaults of what it leaves out.

    Raises InvalidEvaluatorConfig, naming each wrong setting; what concerns the whole is under "config".
    """
    if not isinstance(config, dict):
        raise InvalidEvaluatorConfig({"config": ["The settings must be an object."]})
    complete = {**default_config(kind), **config}
    problems = _problems(kind, complete)
    if problems:
        raise InvalidEvaluatorConfig(problems)
    kind.make_scorer(complete)  # what the schema cannot say, such as a pattern that does not compile
    return complete


def _problems(kind: EvaluatorKind, config: Config) -> dict[str, list[str]]:
    from jsonschema import Draft202012Validator

    problems: dict[str, list[str]] = {}
    for error in Draft202012Validator(kind.config_schema).iter_errors(config):
        for name, message in _readable(error, kind):
            problems.setdefault(name, []).append(message)
    return problems


def _readable(error: ValidationError, kind: EvaluatorKind) -> list[tuple[str, str]]:
    name = str(error.absolute_path[0]) if error.absolute_path else "config"
    wanted: Any = error.validator_value
    given: Any = error.instance
    if error.absolute_path and error.validator in ENTRY_RULES:
        place = ", ".join(_step(step) for step in list(error.absolute_path)[1:])
        return [(name, f"{place}: {error.message[:300]}" if place else error.message[:300])]
    match error.validator:
        case "required":
            return [(field, "This setting is required.") for field in wanted if field not in given]
        case "additionalProperties":
            known = list(kind.config_schema["properties"])
            unknown = [str(field)[:100] for field in given if field not in known]
            settings = f"Its settings are: {', '.join(known)}." if known else "It has no settings."
            return [(field, f"{kind.title} has no setting of this name. {settings}") for field in unknown]
        case "enum":
            return [(name, f"Choose one of: {', '.join(map(str, wanted))}.")]
        case "type":
            return [(name, f"This must be {TYPE_NAMES.get(str(wanted), str(wanted))}.")]
        case "minimum":
            return [(name, f"This must be {wanted} or more.")]
        case "maximum":
            return [(name, f"This must be {wanted} or less.")]
        case "maxLength":
            return [(name, f"This is longer than {wanted} characters.")]
        case "minLength":
            return [(name, "This must not be empty.")]
        case "maxItems":
            return [(name, f"This has more than {wanted} entries.")]
        case _:
            return [(name, error.message[:300])]


def _step(step: str | int) -> str:
    return f"Entry {step + 1}" if isinstance(step, int) else step
