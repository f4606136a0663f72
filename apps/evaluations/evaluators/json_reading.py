"""Reads a model's output as strict JSON (RFC 8259)."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

MAX_CHARACTERS = 1_000_000
MAX_INTEGER_DIGITS = 4_000  # beyond it Python refuses the conversion
CODE_BLOCK = re.compile(r"\A\s*```(?:json|JSON)?[ \t]*\n(?P<body>.*?)\n?```\s*\Z", re.DOTALL)
CODE_FENCE_SETTING = {
    "type": "boolean",
    "title": "Accept a Markdown code block",
    "description": "JSON wrapped in ``` lines also counts; nothing else may stand around it.",
    "default": False,
}


class NotJson(ValueError):
    """The text is not one JSON value; the message says where it goes wrong."""


def read_json(text: str, *, accept_code_block: bool) -> Any:
    """The value that `text` holds. Raises NotJson; NaN and Infinity are not JSON."""
    block = CODE_BLOCK.match(text) if accept_code_block else None
    try:
        return json.loads(
            block["body"] if block else text, parse_constant=_refuse_constant, parse_int=_integer
        )
    except json.JSONDecodeError as error:
        raise NotJson(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except RecursionError as error:
        raise NotJson("It is nested too deeply.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not a JSON value.")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else float(digits)
