"""Model parameters, tools and response schema of a version: from raw JSON to checked JSON.

Ranges are those of the OpenAI chat API, which the other providers' APIs follow or narrow.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import jsonschema
from jsonschema.validators import validator_for

from apps.prompts.json_words import schema_words
from apps.prompts.messages import MessageError, Problems

MODEL_RE = re.compile(r"^[a-z0-9][a-z0-9_-]{0,79}/\S.{0,199}$")
MAX_STOPS = 16
MAX_STOP_CHARS = 200
MAX_TOOLS = 128
MAX_JSON_CHARS = 200_000
TOOL_NAME_RE = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
#: name: least, most, whole numbers only
NUMBERS: dict[str, tuple[float, float, bool]] = {
    "temperature": (0, 2, False),
    "top_p": (0, 1, False),
    "max_tokens": (1, 10_000_000, True),
    "seed": (-(2**63), 2**63 - 1, True),
}
KNOWN = ("model", *NUMBERS, "stop", "extra")


def parse_parameters(raw: Any, *, path: str = "parameters") -> dict[str, Any]:
    """Parameters with empty ones left out: model ("provider/model"), temperature, top_p, max_tokens, stop
    (a list of texts), seed, extra (an object that is sent to the provider as it is).

    Raises MessageError naming each bad field.
    """
    problems = Problems()
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise MessageError({path: ['Give an object, such as {"model": "provider/model", "temperature": 0}.']})
    for key in raw:
        if key not in KNOWN:
            problems.add(
                f"{path}.{key}",
                f"There is no such parameter; what only some providers know goes into {path}.extra.",
            )
    result: dict[str, Any] = {}
    if raw.get("model") not in (None, ""):
        result["model"] = _model(raw["model"], f"{path}.model", problems)
    for name, (least, most, whole) in NUMBERS.items():
        if raw.get(name) is not None:
            result[name] = _number(raw[name], f"{path}.{name}", least, most, whole, problems)
    if raw.get("stop"):
        result["stop"] = _stops(raw["stop"], f"{path}.stop", problems)
    if raw.get("extra"):
        result["extra"] = _extra(raw["extra"], f"{path}.extra", problems)
    problems.raise_if_any()
    return result


def _model(value: Any, place: str, problems: Problems) -> str:
    if not isinstance(value, str) or not MODEL_RE.match(value) or "\x00" in value:
        problems.add(
            place,
            "Write a model as provider/model, such as local/smollm2-135m-instruct.",
        )
    return str(value)


def _number(
    value: Any, place: str, least: float, most: float, whole: bool, problems: Problems
) -> int | float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        problems.add(place, "Give a number.")
        return 0
    if whole and value != int(value):
        problems.add(place, "Give a whole number.")
    if not least <= value <= most:
        problems.add(place, f"Give a number from {least:,} to {most:,}.")
    return int(value) if whole and least <= value <= most else value


def _stops(value: Any, place: str, problems: Problems) -> list[str]:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(s, str) and s for s in stops):
        problems.add(place, "Give a list of texts that end the answer.")
        return []
    if len(stops) > MAX_STOPS or any(len(s) > MAX_STOP_CHARS or "\x00" in s for s in stops):
        problems.add(
            place,
            f"Give at most {MAX_STOPS} texts of at most {MAX_STOP_CHARS} characters.",
        )
    return list(stops)


def _extra(value: Any, place: str, problems: Problems) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        problems.add(place, 'Give an object, such as {"frequency_penalty": 0.5}.')
        return {}
    for key in value:
        if key in KNOWN or key in ("messages", "tools", "response_format", "stream"):
            problems.add(f"{place}.{key}", "This has a place of its own and cannot be set here.")
    _check_json(value, place, problems)
    return dict(value)


def _check_json(value: Any, place: str, problems: Problems) -> None:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        problems.add(
            place,
            "This is not plain JSON: NaN, infinity and very deep nesting are not allowed.",
        )
        return
    if len(text) > MAX_JSON_CHARS:
        problems.add(place, f"At most {MAX_JSON_CHARS:,} characters of JSON.")
    if "\\u0000" in text:
        problems.add(place, "NUL characters cannot be stored.")
    if re.search(
        r"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}",
        text,
    ):
        problems.add(place, "Half of a surrogate pair is not a character.")


def parse_tools(raw: Any, *, path: str = "tools") -> list[dict[str, Any]]:
    """Tools in the form {"type": "function", "function": {name, description?, parameters?: JSON schema}}."""
    if raw is None or raw == []:
        return []
    problems = Problems()
    if not isinstance(raw, list) or len(raw) > MAX_TOOLS:
        raise MessageError({path: [f"Give a list of at most {MAX_TOOLS} tools."]})
    names: set[str] = set()
    for index, tool in enumerate(raw):
        _check_tool(tool, f"{path}[{index}]", names, problems)
    _check_json(raw, path, problems)
    problems.raise_if_any()
    return raw


def _check_tool(tool: Any, place: str, names: set[str], problems: Problems) -> None:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or tool.get("type") != "function":
        problems.add(
            place,
            'Give {"type": "function", "function": {"name": …, "parameters": …}}.',
        )
        return
    name = function.get("name")
    if not isinstance(name, str) or not TOOL_NAME_RE.match(name):
        problems.add(
            f"{place}.function.name",
            "Name the function with at most 64 letters, digits, _ and -.",
        )
    elif name in names:
        problems.add(f"{place}.function.name", f"There are two functions called {name}.")
    else:
        names.add(name)
    if function.get("parameters") is not None:
        check_schema(function["parameters"], f"{place}.function.parameters", problems)


def parse_response_schema(raw: Any, *, path: str = "response_schema") -> dict[str, Any] | None:
    """A JSON schema that the answer must fit, or None."""
    if raw is None or raw == {}:
        return None
    problems = Problems()
    check_schema(raw, path, problems)
    _check_json(raw, path, problems)
    problems.raise_if_any()
    return dict(raw)


def check_schema(schema: Any, place: str, problems: Problems) -> None:
    """Add to `problems` what keeps `schema` from being a JSON schema (of its own draft, else 2020-12)."""
    if not isinstance(schema, Mapping):
        problems.add(place, "Give a JSON schema, which is an object.")
        return
    try:
        validator_for(schema, default=jsonschema.Draft202012Validator).check_schema(dict(schema))
    except jsonschema.SchemaError as error:
        where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
        problems.add(f"{place}{where}", schema_words(error))
    except RecursionError:
        problems.add(place, "This schema is nested too deeply.")
    except (TypeError, ValueError, AttributeError) as error:
        problems.add(place, f"This is not a JSON schema ({str(error)[:300]}).")
