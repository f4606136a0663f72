"""Valid JSON and JSON schema: can a program read the output?"""

from __future__ import annotations

from .base import (
    Config,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .json_reading import CODE_FENCE_SETTING, MAX_CHARACTERS, NotJson, read_json
from .json_schema_guard import UnusableSchema, ValidationOverrun, check_schema, first_violation

VALID = MetricSpec("valid", "Valid", "higher", "binary", 0.0, 1.0)
TOO_LONG = Unscored(f"The output is longer than {MAX_CHARACTERS:,} characters and was not read.")
KINDS_OF_VALUE = {"any": object, "object": dict, "array": list}


def _json_valid(config: Config) -> Scorer:
    def score(item: ScoringInput) -> Outcome:
        if len(item.output) > MAX_CHARACTERS:
            return TOO_LONG
        try:
            value = read_json(item.output, accept_code_block=config["code_block"])
        except NotJson as error:
            return Scored({"valid": 0.0}, str(error))
        passed = isinstance(value, KINDS_OF_VALUE[config["value"]])
        return Scored(
            {"valid": float(passed)}, "" if passed else f"This is JSON, but not an {config['value']}."
        )

    return each(score)


def _json_schema(config: Config) -> Scorer:
    try:
        check_schema(config["schema"])
    except UnusableSchema as error:
        raise InvalidEvaluatorConfig({"schema": [str(error)]}) from error

    def score(item: ScoringInput) -> Outcome:
        if len(item.output) > MAX_CHARACTERS:
            return TOO_LONG
        try:
            violation = first_violation(
                config["schema"], read_json(item.output, accept_code_block=config["code_block"])
            )
        except NotJson as error:
            return Scored({"valid": 0.0}, f"This is not JSON. {error}")
        except ValidationOverrun as error:
            return Unscored(str(error))
        return Scored({"valid": float(violation is None)}, violation or "")

    return each(score)


JSON_VALID = EvaluatorKind(
    name="json_valid",
    title="Valid JSON",
    description="1 when the output is one JSON value and nothing else, else 0.",
    config_schema=config_object(
        {
            "value": {
                "type": "string",
                "title": "The value must be",
                "description": "What kind of JSON value counts.",
                "enum": ["any", "object", "array"],
                "x-enum-titles": ["any JSON value", "an object", "an array"],
                "default": "any",
            },
            "code_block": CODE_FENCE_SETTING,
        }
    ),
    metrics=(VALID,),
    make_scorer=_json_valid,
    group=Group.STRUCTURE,
)

JSON_SCHEMA = EvaluatorKind(
    name="json_schema",
    title="JSON schema",
    description="1 when the output is JSON that fits a schema, else 0; what does not fit is named.",
    config_schema=config_object(
        {
            "schema": {
                "type": "object",
                "title": "Schema",
                "description": "A JSON schema (draft 2020-12 unless $schema says otherwise). References to "
                "web addresses are refused.",
            },
            "code_block": CODE_FENCE_SETTING,
        },
        required=["schema"],
    ),
    metrics=(VALID,),
    make_scorer=_json_schema,
    group=Group.STRUCTURE,
)
