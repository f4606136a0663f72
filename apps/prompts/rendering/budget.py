"""How much one rendering may cost, and the scales that weigh values.

Nothing from outside can stop a thread in the middle of `"a" * 10**9`. So every step that can repeat or
grow pays here first: loops and macros for each turn, operators and filters for what they are about to make.
Whatever a template builds is thereby bounded, and with it the time any single step can take.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import thread_time
from typing import Any

from jinja2 import Undefined

from .errors import SizeLimitExceeded, TemplateFailed, TimeLimitExceeded

MAX_DEPTH = 60
MAX_ELEMENTS = 500_000
WORK_UNITS = 20_000_000
MAX_INTEGER_BITS = 8_192
SCALARS = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """Limits for rendering all messages of one prompt once.

    `seconds` of the thread's processor time (a busy machine refuses no honest prompt); `output_chars`
    characters in all rendered messages together; `work` units, one for each loop turn and for each character
    or element that is made on the way.
    """

    seconds: float = 2.0
    output_chars: int = 2_000_000
    work: int = WORK_UNITS


class Budget:
    """What is left to spend in one rendering."""

    __slots__ = ("_deadline", "_limits", "_work")

    def __init__(self, limits: RenderLimits) -> None:
        self._limits = limits
        self._work = limits.work
        self._deadline = thread_time() + limits.seconds

    def spend(self, units: int = 1) -> bool:
        """Pay for `units` of work. Always true, so that compiled conditions can be joined with it."""
        self._work -= units
        if self._work < 0:
            raise SizeLimitExceeded(
                "the template makes too much text or too many values and was stopped "
                f"(limit {self._limits.work:,} characters and steps)"
            )
        if thread_time() > self._deadline:
            raise TimeLimitExceeded(
                f"rendering took more than {self._limits.seconds:g} seconds of work and was stopped; "
                "look for loops inside loops"
            )
        return True

    def account(self, value: Any) -> Any:
        """Pay for a value that was just made; an iterator pays for each item when it is drawn."""
        if type(value) is str:
            self.spend(len(value))
        elif isinstance(value, list | tuple | dict):
            self.spend(measure(value)[0])
        elif isinstance(value, Iterator):
            return self._metered(value)
        return value

    def _metered(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if isinstance(item, Iterator):
                yield self._metered(item)
            else:
                self.spend(1 + measure(item)[0])
                yield item


def measure(value: Any) -> tuple[int, int]:
    """Size in units (characters and elements, shared parts counted each time) and depth of a plain value.

    Raises TemplateFailed for what is not plain data or is nested too deeply, so that a value that passed can
    be printed, compared, hashed or dumped at a cost known beforehand.
    """
    kind = type(value)
    if kind is str:
        return len(value), 0
    units, depth, level = 0, 0, [value]
    while level:
        deeper: list[Any] = []
        for item in level:
            units += _own_units(item)
            if isinstance(item, dict):
                deeper.extend(item.keys())
                deeper.extend(item.values())
            elif isinstance(item, list | tuple):
                deeper.extend(item)
            if len(deeper) > MAX_ELEMENTS or units > WORK_UNITS:
                raise SizeLimitExceeded(
                    f"a value grew past {MAX_ELEMENTS:,} elements or {WORK_UNITS:,} characters"
                )
        if deeper:
            depth += 1
            if depth > MAX_DEPTH:
                raise TemplateFailed(f"a value is nested more than {MAX_DEPTH} levels deep")
        level = deeper
    return units, depth


def _own_units(item: Any) -> int:
    if isinstance(item, str):
        return len(item) + 1
    if isinstance(item, Undefined):
        str(item)  # a strict undefined raises here, and names itself
    if type(item) is int:
        return 1 + item.bit_length() // 3
    if not isinstance(item, (*SCALARS, list, tuple, dict)):
        raise TemplateFailed(
            f"a {type(item).__name__} cannot be put inside another value; turn a sequence into a list "
            "with the filter “list”"
        )
    return 1


def text_of(value: Any) -> str:
    """The text that a template prints for a plain value, as Python's `str` writes it."""
    if type(value) is str:
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises, and names the variable
    if value is None or isinstance(value, bool | float):
        return str(value)
    if isinstance(value, int | list | tuple | dict):
        measure(value)
        return str(value)
    if isinstance(value, str):
        return str(value)
    raise TemplateFailed(
        f"this prints a {type(value).__name__}, which is not text; use the filter “list” or “join” on a "
        "sequence, and call a function with ()"
    )
