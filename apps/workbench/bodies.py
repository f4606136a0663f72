"""Reading what the workbench's page sends: one JSON object a request."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from django.http import HttpRequest

from apps.core.errors import InvalidInput, TooLarge

MAX_BYTES = 4_000_000
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")


def json_body(request: HttpRequest, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The request's body as a JSON object that the database can hold.

    Raises InvalidInput for what is no JSON object or holds a NUL, half of a surrogate pair, or a number that
    is none; TooLarge beyond `max_bytes`.
    """
    raw = _raw_body(request, max_bytes)
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The request's body is no JSON. Reload the page and try again.") from error
    if not isinstance(body, dict):
        raise InvalidInput("The request's body is no JSON object. Reload the page and try again.")
    _refuse_what_cannot_be_stored(body)
    return body


def _raw_body(request: HttpRequest, max_bytes: int) -> bytes:
    """The stream is read here, and not by request.body, whose own bound is that of ordinary forms."""
    detail = f"The request is larger than {max_bytes:,} bytes. Shorten the messages or the values."
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        announced = 0
    if announced > max_bytes:
        raise TooLarge(detail)
    raw = request.read(max_bytes + 1)
    if len(raw) > max_bytes:
        raise TooLarge(detail)
    return raw


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _refuse_what_cannot_be_stored(value: Any) -> None:
    """Walked with a list of its own: what is nested a thousand deep needs no recursion."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            _refuse_text(one)
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, float) and not math.isfinite(one):
            raise InvalidInput("A number in the request is too large.")


def _refuse_text(text: str) -> None:
    if "\x00" in text:
        raise InvalidInput("NUL characters cannot be stored. Remove them from the text.")
    if _HALF_A_PAIR.search(text):
        raise InvalidInput("Half of a surrogate pair is not a character. Remove it from the text.")
