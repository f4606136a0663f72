"""Paths into JSON values, as people write them: `$.items[0].name`, `items[*].id`, `["odd name"]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

#: A step is a name, a position, or "*" for every entry of a list or object.
Step = str | int
_STEP = re.compile(
    r"""\.?(?P<name>[^\s.\[\]"']+)|\[(?P<index>\d{1,9}|\*)\]|\[(?P<q>["'])(?P<quoted>.*?)(?P=q)\]"""
)


class InvalidPath(ValueError):
    """The text is no path."""


class Every:
    """The step `*`."""


EVERY = Every()


def parse_path(text: str) -> tuple[Step | Every, ...]:
    """The steps of a path. Raises InvalidPath."""
    rest = text.strip()
    rest = rest[1:] if rest.startswith("$") else rest
    steps: list[Step | Every] = []
    while rest:
        hit = _STEP.match(rest)
        if hit is None:
            raise InvalidPath(
                f"“{text}” is not a path such as $.items[0].name: it goes wrong at “{rest[:20]}”."
            )
        if hit["quoted"] is not None:
            steps.append(hit["quoted"])
        elif hit["index"] is not None:
            steps.append(EVERY if hit["index"] == "*" else int(hit["index"]))
        else:
            steps.append(EVERY if hit["name"] == "*" else hit["name"])
        rest = rest[hit.end() :]
    return tuple(steps)


def found_at(value: Any, path: Sequence[Step | Every]) -> Iterator[Any]:
    """The values that `path` leads to; none where it leads nowhere."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    if isinstance(step, Every):
        children = (
            list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        )
        for child in children:
            yield from found_at(child, rest)
    elif isinstance(step, str):
        if isinstance(value, dict) and step in value:
            yield from found_at(value[step], rest)
    elif isinstance(value, list) and step < len(value):
        yield from found_at(value[step], rest)


def path_text(steps: Sequence[Step]) -> str:
    """The path as it is written: `$.items[0].name`."""
    return "$" + "".join(
        f"[{step}]"
        if isinstance(step, int)
        else f".{step}"
        if re.fullmatch(r"[^\s.\[\]\"']+", step)
        else f'["{step}"]'
        for step in steps
    )


def leads_into(steps: Sequence[Step], pattern: Sequence[Step | Every]) -> bool:
    """True when `steps` is at `pattern` or below it."""
    return len(steps) >= len(pattern) and all(
        isinstance(wanted, Every) or wanted == step for wanted, step in zip(pattern, steps, strict=False)
    )
