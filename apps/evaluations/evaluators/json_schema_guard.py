"""Validates against a JSON schema that somebody else wrote.

A schema can be hostile or careless: it can point to a web address, hold a pattern that backtracks for ever,
or branch so often that it never ends. Here nothing is fetched, patterns run under a time limit, and the whole
validation has a deadline.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

VALIDATION_TIMEOUT_S = 1.0
PATTERN_TIMEOUT_S = 0.25
NOT_SCHEMAS = frozenset({"const", "enum", "default", "examples"})
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

_deadline: ContextVar[float] = ContextVar("json_schema_deadline")


class UnusableSchema(ValueError):
    """The schema itself is wrong, or asks for what is not allowed."""


class ValidationOverrun(Exception):
    """The value could not be validated in time, or not at all."""


def check_schema(schema: Any) -> None:
    """Raise UnusableSchema unless `schema` is a valid, self-contained JSON schema whose patterns compile."""
    from jsonschema import SchemaError

    from apps.prompts.json_words import schema_words

    if not isinstance(schema, dict):
        raise UnusableSchema("A JSON schema is an object.")
    try:
        _validator_class(schema).check_schema(schema)
        for keyword, value in _keywords(schema):
            _check_keyword(keyword, value)
        _check_local_references(schema)
    except SchemaError as error:
        path = [f"entry {part + 1}" if isinstance(part, int) else part for part in error.absolute_path]
        place = f"At “{' → '.join(path)[:200]}”" if path else "At the top"
        raise UnusableSchema(f"This is not a JSON schema. {place}: {schema_words(error)}") from error
    except RecursionError as error:
        raise UnusableSchema("The schema is nested too deeply.") from error
    used = {keyword for keyword, _ in _keywords(schema)}
    if {"patternProperties", "unevaluatedProperties"} <= used:
        raise UnusableSchema("patternProperties and unevaluatedProperties cannot be used in one schema here.")


def first_violation(schema: dict[str, Any], value: Any) -> str | None:
    """The first way in which `value` breaks `schema`, as a sentence; None when it fits.

    Raises ValidationOverrun when no answer is found within VALIDATION_TIMEOUT_S.
    """
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    token = _deadline.set(time.monotonic() + VALIDATION_TIMEOUT_S)
    try:
        validator = _guarded(_validator_class(schema))(schema, registry=Registry())
        error = next(validator.iter_errors(value), None)
        if error is None:
            return None
        where = "/".join(map(str, error.absolute_path))
        return (f"At {where[:200]}: " if where else "") + str(error.message)[:300]
    except RecursionError as error:
        raise ValidationOverrun("The schema refers to itself without end.") from error
    except Unresolvable as error:
        raise ValidationOverrun(f"The schema refers to something it does not hold: {error}") from error
    except (ArithmeticError, TimeoutError) as error:
        raise ValidationOverrun(f"The output could not be validated: {error}") from error
    finally:
        _deadline.reset(token)


def _validator_class(schema: dict[str, Any]) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    dialect = schema.get("$schema")
    if dialect is None:
        return Draft202012Validator
    unknown: Any = None
    known = validator_for({"$schema": dialect}, default=unknown) if isinstance(dialect, str) else unknown
    if known is unknown:
        raise UnusableSchema("$schema names no known draft of JSON schema (2020-12, 2019-09, 7, 6, 4 or 3).")
    return known


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    """Each (keyword, value) in a schema and below it, outside of plain values such as `const`."""
    if isinstance(schema, dict):
        for keyword, value in schema.items():
            yield keyword, value
            if keyword not in NOT_SCHEMAS:
                yield from _keywords(value)
    elif isinstance(schema, list):
        for entry in schema:
            yield from _keywords(entry)


def _check_keyword(keyword: str, value: Any) -> None:
    if keyword in REFERENCES and isinstance(value, str) and not value.startswith("#"):
        raise UnusableSchema(
            f"“{value[:200]}” points outside the schema. Only references within it (#/…) can be used."
        )
    patterns = [value] if keyword == "pattern" else list(value) if keyword == "patternProperties" else []
    for pattern in patterns:
        if isinstance(pattern, str):
            _compiled(pattern)


def _check_local_references(schema: dict[str, Any]) -> None:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    if any(keyword in {"$id", "id"} for keyword, _ in _keywords(schema)):
        return  # references are then relative to an inner base: found out when validating
    specification = specification_with(
        str(schema.get("$schema", "https://json-schema.org/draft/2020-12/schema"))
    )
    resource = specification.create_resource(schema)
    resolver = Registry().with_resource("", resource).resolver()
    for keyword, value in _keywords(schema):
        if keyword == "$ref" and isinstance(value, str):
            try:
                resolver.lookup(value)
            except Unresolvable as error:
                raise UnusableSchema(f"“{value[:200]}” points to nothing in this schema.") from error


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import regex  # type: ignore[import-untyped]

    try:
        return regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        raise UnusableSchema(
            f"The pattern “{pattern[:100]}” is not a regular expression: {error}."
        ) from error


def _fits(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text, timeout=PATTERN_TIMEOUT_S) is not None


@lru_cache(maxsize=16)
def _guarded(validator_class: Any) -> Any:
    """`validator_class` with a deadline on every keyword and patterns under a time limit."""
    from jsonschema import validators

    keywords = {
        **validator_class.VALIDATORS,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    return validators.extend(
        validator_class, {name: _with_deadline(check) for name, check in keywords.items()}
    )


def _with_deadline(check: Any) -> Any:
    def keyword(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if time.monotonic() > _deadline.get():
            raise ValidationOverrun(f"Validation took longer than {VALIDATION_TIMEOUT_S:g} s.")
        yield from check(validator, value, instance, schema) or ()

    return keyword


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if validator.is_type(instance, "string") and not _fits(pattern, instance):
        yield ValidationError(f"“{instance[:100]}” does not match the pattern “{pattern[:100]}”")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in patterns.items():
        for name, value in instance.items():
            if _fits(pattern, name):
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not validator.is_type(instance, "object"):
        return
    patterns = schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in schema.get("properties", {}) or any(_fits(pattern, name) for pattern in patterns):
            continue
        if validator.is_type(allowed, "object"):
            yield from validator.descend(value, allowed, path=name)
        elif not allowed:
            yield ValidationError(f"the property “{name[:100]}” is not allowed")
