"""What is wrong with JSON that a person typed, and with a JSON schema, in words that say what to do."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import SchemaError

_TYPES = {
    "object": "an object in { }",
    "array": "a list in [ ]",
    "string": "a text in quotation marks",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
_TYPE_NAMES = "string, number, integer, boolean, array, object or null"
#: By the beginnings of the json module's messages.
_JSON = {
    "Expecting value": 'a value is missing here, or a text has no quotation marks (") around it',
    "Expecting property name": 'a name in quotation marks (") is missing here; none follows the last comma',
    "Expecting ',' delimiter": "a comma is missing before this place, or a bracket is not closed",
    "Expecting ':' delimiter": "a colon is missing after the name",
    "Extra data": "something follows after the end",
    "Unterminated string": "a quotation mark is opened and never closed",
    "Invalid control character": "a text goes over the end of its line; write \\n for a line break",
    "Invalid \\": "there is a lone backslash; write \\\\ for a backslash",
    "Illegal trailing comma": "there is a comma after the last entry; take it out",
}


def json_words(error: json.JSONDecodeError) -> str:
    """One sentence with the line (counted from 1) that holds the mistake."""
    known = next((words for start, words in _JSON.items() if error.msg.startswith(start)), error.msg)
    return f"Line {error.lineno}: this is not JSON: {known}."


def schema_words(error: SchemaError) -> str:
    """One sentence on what keeps a schema from being one; where it is, `error.absolute_path` says."""
    wanted: Any = error.validator_value
    keyword = error.absolute_path[-1] if error.absolute_path else ""
    if keyword == "type" and error.validator in ("anyOf", "enum"):
        return f"There is no type {_short(error.instance)}. Use {_TYPE_NAMES}."
    match error.validator:
        case "type" | "anyOf" if wanted == ["object", "boolean"] or {"$ref": "#"} in list(wanted):
            return f'Give a schema, such as {{"type": "string"}}, not {_short(error.instance)}.'
        case "type":
            types = [wanted] if isinstance(wanted, str) else list(wanted)
            return (
                f"Give {' or '.join(_TYPES.get(name, name) for name in types)}, not {_short(error.instance)}."
            )
        case "format" if wanted == "regex":
            return f"{_short(error.instance)} is not a regular expression."
        case "minimum":
            return f"Give {wanted} or more, not {_short(error.instance)}."
        case "exclusiveMinimum":
            return f"Give more than {wanted}, not {_short(error.instance)}."
        case "minItems":
            return "Give a list with at least one entry."
        case "uniqueItems":
            return "Name each entry once only."
        case "enum":
            return f"Use one of {', '.join(map(_short, wanted))}."
    return f"This is not a JSON schema: {error.message[:300]}."


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
