"""From a file's bytes to plain values, with limits, whoever wrote it. Lines are counted from 1."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from apps.prompts.exchange.record import UnreadableFile
from apps.prompts.json_words import json_words

MAX_BYTES = 2_000_000
MAX_DEPTH = 100
MAX_VALUES = 200_000
#: The parser in C where the package brings it; the one in Python is the same, slower.
_PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def decoded(raw: bytes) -> str:
    """The bytes as text. Raises UnreadableFile for too many, or what is no text."""
    if len(raw) > MAX_BYTES:
        raise UnreadableFile(f"A file has at most {MAX_BYTES // 1_000_000} MB; this has {len(raw):,} bytes.")
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(f"Line {line}: this is no UTF-8 text. Save the file as UTF-8.") from error


def documents(text: str) -> list[Any]:
    """The JSON value in `text`, or its YAML documents. Raises UnreadableFile."""
    if not text.strip():
        raise UnreadableFile("The file is empty.")
    _refuse_unstorable(text)
    found = [_json(text)] if text.lstrip()[0] in "{[" else list(_yaml(text))
    found = [document for document in found if document is not None]
    for document in found:
        _check(document)
    return found


def plain_value(text: str) -> Any:
    """JSON or one YAML document inside a file, as promptfoo has them. Raises UnreadableFile."""
    found = documents(text)
    if len(found) != 1:
        raise UnreadableFile("Give one document here.")
    return found[0]


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise UnreadableFile(json_words(error)) from error
    except UnreadableFile:
        raise
    except RecursionError as error:
        raise UnreadableFile(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from error
    except ValueError as error:
        raise UnreadableFile("There is a number with more digits than can be read.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UnreadableFile(f"An object names “{twice[:60]}” twice.")
    return found


def _refuse_constant(name: str) -> None:
    raise UnreadableFile(f"{name} is no number that JSON knows.")


class _Loader(_PARSER):
    """The plain types of YAML 1.2's core schema: `yes`, `on` and dates are texts. No tags, no aliases."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # the names that PyYAML reads
    yaml_constructors: dict[Any, Any] = {}


def _mapping(loader: Any, node: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise UnreadableFile(f"Line {line}: a name must be a text; put quotation marks around it.")
        if key in found:
            raise UnreadableFile(f"Line {line}: “{key[:60]}” is named twice.")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _sequence(loader: Any, node: Any) -> list[Any]:
    return [loader.construct_object(item, deep=True) for item in node.value]


def _whole(loader: Any, node: Any) -> int:
    text = str(loader.construct_scalar(node))
    try:
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    except ValueError:
        raise UnreadableFile(f"Line {node.start_mark.line + 1}: this number cannot be read.") from None


def _real(loader: Any, node: Any) -> float:
    return float(loader.construct_scalar(node))


def _unknown(loader: Any, node: Any) -> Any:
    line = node.start_mark.line + 1
    raise UnreadableFile(f"Line {line}: the tag {str(node.tag)[:80]} is not read here; leave it out.")


def _set_up() -> None:
    plain = (
        ("null", re.compile(r"(?:~|null|Null|NULL|)\Z"), None, lambda loader, node: None),
        (
            "bool",
            re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
            list("tTfF"),
            lambda loader, node: str(node.value).lower() == "true",
        ),
        ("int", re.compile(rf"(?:{INT.pattern})\Z"), list("-+0123456789"), _whole),
        ("float", re.compile(rf"(?:{FLOAT.pattern})\Z"), list("-+.0123456789"), _real),
    )
    for name, pattern, first, construct in plain:
        _Loader.add_implicit_resolver(_CORE + name, pattern, first or ["~", "n", "N", ""])
        _Loader.add_constructor(_CORE + name, construct)
    _Loader.add_constructor(_CORE + "str", lambda loader, node: loader.construct_scalar(node))
    _Loader.add_constructor(_CORE + "seq", _sequence)
    _Loader.add_constructor(_CORE + "map", _mapping)
    _Loader.add_constructor(None, _unknown)


_set_up()


def _yaml(text: str) -> Iterator[Any]:
    try:
        _check_events(text)
        yield from yaml.load_all(text, Loader=_Loader)  # derived from the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"Line {mark.line + 1}: " if mark else ""
        raise UnreadableFile(f"{line}this is not YAML: {error.problem or error.context}.") from error
    except yaml.reader.ReaderError as error:
        line = f"Line {text.count(chr(10), 0, error.position) + 1}: " if error.position else ""
        raise UnreadableFile(f"{line}there is a character that YAML does not allow.") from error
    except yaml.YAMLError as error:
        raise UnreadableFile(f"This is not YAML: {str(error)[:200]}.") from error
    except RecursionError as error:
        raise UnreadableFile(f"The file is nested deeper than {MAX_DEPTH} levels.") from error


def _check_events(text: str) -> None:
    """Refuse what grows when it is built: aliases, depth, sheer number. Nothing is built here."""
    depth = values = 0
    event: Any
    for event in yaml.parse(text, Loader=_PARSER):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise UnreadableFile(f"Line {line}: aliases (*name) are not read here; write the value out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        values += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise UnreadableFile(f"Line {line}: nested deeper than {MAX_DEPTH} levels.")
        if values > MAX_VALUES:
            raise UnreadableFile(f"Line {line}: a file has at most {MAX_VALUES:,} values.")


def _check(document: Any) -> None:
    """The same limits for JSON, and texts that can be stored, escapes such as \\u0000 among them."""
    values = 0
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        values += 1
        if depth > MAX_DEPTH:
            raise UnreadableFile(f"The file is nested deeper than {MAX_DEPTH} levels.")
        if values > MAX_VALUES:
            raise UnreadableFile(f"A file has at most {MAX_VALUES:,} values.")
        if isinstance(value, str):
            _refuse_unstorable(value)
        elif isinstance(value, float) and value in (float("inf"), float("-inf")):
            raise UnreadableFile("There is a number that is too large.")
        elif isinstance(value, dict):
            waiting += [(item, depth + 1) for pair in value.items() for item in pair]
        elif isinstance(value, list):
            waiting += [(item, depth + 1) for item in value]


def _refuse_unstorable(text: str) -> None:
    if "\x00" in text:
        raise UnreadableFile("There is a NUL character in the file, which no text may hold.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableFile(
            "There is half of a surrogate pair in the file, which is no character."
        ) from error
