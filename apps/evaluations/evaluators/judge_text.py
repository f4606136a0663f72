"""What a judge is shown, and what it said: untrusted text on its way in, JSON on its way out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .base import ScoringInput
from .references import as_text, shorten

if TYPE_CHECKING:
    from apps.providers.protocol import CompletionResponse

#: A "<" that could begin a tag, a closing tag or a chat template's own token.
_TAG = re.compile(r"<(?=[/!?|A-Za-z])")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)
MAX_ANSWER = 100_000
MAX_OBJECTS = 50


class UnreadableAnswer(ValueError):
    """The judge answered otherwise than it was asked to; the text is for the reader of the score."""


def as_data(value: Any) -> Any:
    """A value from the run in which no text can close the tags that a prompt puts around it.

    Every "<" that could begin a tag or a chat template's token is written "&lt;", in keys and at any depth.
    """
    if isinstance(value, str):
        return _TAG.sub("&lt;", value)
    if isinstance(value, Mapping):
        return {as_data(str(name)): as_data(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [as_data(entry) for entry in value]
    return value


def variables_of(item: ScoringInput) -> dict[str, Any]:
    """The variables that every judge's prompt may use: inputs, output, reference, metadata."""
    reference = item.reference
    return {
        "inputs": as_data(dict(item.inputs)),
        "output": as_data(item.output),
        "reference": as_data("" if reference is None else as_text(reference)),
        "metadata": as_data(dict(item.metadata)),
    }


def read_object(response: CompletionResponse, names: tuple[str, ...]) -> dict[str, Any]:
    """The JSON object in a judge's answer that has all of `names`: alone, in a fence, or within other text.

    Of several, the last: what is thought aloud comes first. Raises UnreadableAnswer.
    """
    text = response.text.strip()[:MAX_ANSWER]
    found: dict[str, Any] | None = None
    for value in _objects(text):
        named = {str(name).strip().lower(): entry for name, entry in value.items()}
        if all(name in named for name in names):
            found = named
    if found is not None:
        return found
    raise UnreadableAnswer(unreadable(response, f"a JSON object with {' and '.join(names)}"))


def unreadable(response: CompletionResponse, wanted: str) -> str:
    """Why an answer gives no score, in one sentence or two."""
    if not response.text.strip():
        said = "It said nothing"
    else:
        said = f"It said: “{shorten(response.text.strip(), 300)}”"
    cut = ", and was cut off at its limit of tokens" if response.finish_reason == "length" else ""
    return f"The judge did not answer with {wanted}. {said}{cut}."


def _objects(text: str) -> Iterator[dict[str, Any]]:
    whole = _parsed(text)
    if isinstance(whole, dict):
        yield whole
        return
    for fenced in _FENCE.findall(text):
        value = _parsed(fenced.strip())
        if isinstance(value, dict):
            yield value
    yield from _embedded(text)


def _embedded(text: str) -> Iterator[dict[str, Any]]:
    decoder, place = json.JSONDecoder(), text.find("{")
    for _ in range(MAX_OBJECTS):
        if place < 0:
            return
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield value
        place = text.find("{", end)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
