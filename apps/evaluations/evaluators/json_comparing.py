"""Compares two JSON values leaf by leaf."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .json_paths import Every, Step, leads_into, path_text
from .references import as_text, shorten

#: Lists whose order does not count are matched entry by entry up to this many unequal entries; then in order.
MOST_MATCHED = 40


@dataclass
class Differences:
    """Leaves (values that hold no others; empty lists and objects are leaves too) that are equal or not."""

    equal: int = 0
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)

    @property
    def leaves(self) -> int:
        return self.equal + len(self.changed) + len(self.missing) + len(self.extra)

    @property
    def share(self) -> float:
        """Equal leaves as a share of all on either side."""
        return self.equal / self.leaves if self.leaves else 1.0

    def told(self, most: int = 5) -> str:
        """The differences in a sentence, with their paths."""
        parts = [
            f"{word}: {'; '.join(found[:most])}{'; …' if len(found) > most else ''}"
            for word, found in (
                ("Differs", self.changed),
                ("Missing", self.missing),
                ("Extra", self.extra),
            )
            if found
        ]
        return ". ".join(parts) + "." if parts else ""


@dataclass(frozen=True)
class JsonComparison:
    """How to compare: `ignored` paths are left out on both sides; numbers may differ by `tolerance`."""

    ignore_order: bool = False
    ignored: Sequence[Sequence[Step | Every]] = ()
    tolerance: float = 0.0

    def differences(self, given: Any, wanted: Any) -> Differences:
        """What `given` makes different of `wanted`."""
        found = Differences()
        self._walk(given, wanted, (), found)
        return found

    def _walk(self, given: Any, wanted: Any, at: tuple[Step, ...], found: Differences) -> None:
        if self._ignored(at):
            return
        if isinstance(given, dict) and isinstance(wanted, dict) and (given or wanted):
            self._objects(given, wanted, at, found)
        elif isinstance(given, list) and isinstance(wanted, list) and (given or wanted):
            self._lists(given, wanted, at, found)
        elif self._same(given, wanted):
            found.equal += 1
        elif _holds(given) or _holds(wanted):  # of another shape: every leaf of both is a difference
            self._all(wanted, at, found.missing)
            self._all(given, at, found.extra)
        else:
            found.changed.append(f"{path_text(at)} is {_short(given)}, not {_short(wanted)}")

    def _objects(
        self, given: dict[str, Any], wanted: dict[str, Any], at: tuple[Step, ...], found: Differences
    ) -> None:
        for name, value in wanted.items():
            if name in given:
                self._walk(given[name], value, (*at, name), found)
            else:
                self._all(value, (*at, name), found.missing)
        for name, value in given.items():
            if name not in wanted:
                self._all(value, (*at, name), found.extra)

    def _lists(self, given: list[Any], wanted: list[Any], at: tuple[Step, ...], found: Differences) -> None:
        pairs = self._matched(given, wanted) if self.ignore_order else _in_order(given, wanted)
        for here, there in pairs:
            if here is None and there is not None:
                self._all(wanted[there], (*at, there), found.missing)
            elif there is None and here is not None:
                self._all(given[here], (*at, here), found.extra)
            elif here is not None and there is not None:
                self._walk(given[here], wanted[there], (*at, there), found)

    def _matched(self, given: list[Any], wanted: list[Any]) -> list[tuple[int | None, int | None]]:
        """Equal entries first, then the most alike of the rest (greedily), then what is left over."""
        spelled: dict[str, list[int]] = {}
        for there, value in reversed(list(enumerate(wanted))):
            spelled.setdefault(_canonical(value), []).append(there)
        pairs: list[tuple[int | None, int | None]] = []
        rest = []
        for here, value in enumerate(given):
            same = spelled.get(_canonical(value))
            if same:
                pairs.append((here, same.pop()))
            else:
                rest.append(here)
        left = sorted(there for places in spelled.values() for there in places)
        if len(rest) * len(left) <= MOST_MATCHED**2:
            alike = sorted(
                (-self.differences(given[here], wanted[there]).share, here, there)
                for here in rest
                for there in left
            )
            for _, here, there in alike:
                if here in rest and there in left:
                    pairs.append((here, there))
                    rest.remove(here)
                    left.remove(there)
        return pairs + _in_order_of(rest, left)

    def _all(self, value: Any, at: tuple[Step, ...], into: list[str]) -> None:
        """Every leaf of `value` that is not ignored, by its path."""
        if self._ignored(at):
            return
        if isinstance(value, dict) and value:
            for name, child in value.items():
                self._all(child, (*at, name), into)
        elif isinstance(value, list) and value:
            for place, child in enumerate(value):
                self._all(child, (*at, place), into)
        else:
            into.append(path_text(at))

    def _same(self, given: Any, wanted: Any) -> bool:
        if isinstance(given, bool) or isinstance(wanted, bool):
            return given is wanted
        if isinstance(given, int | float) and isinstance(wanted, int | float):
            return given == wanted or abs(given - wanted) <= self.tolerance
        return type(given) is type(wanted) and bool(given == wanted)

    def _ignored(self, at: tuple[Step, ...]) -> bool:
        return any(leads_into(at, pattern) for pattern in self.ignored)


def _in_order(given: list[Any], wanted: list[Any]) -> list[tuple[int | None, int | None]]:
    return _in_order_of(list(range(len(given))), list(range(len(wanted))))


def _in_order_of(here: list[int], there: list[int]) -> list[tuple[int | None, int | None]]:
    longest = max(len(here), len(there))
    return [
        (here[place] if place < len(here) else None, there[place] if place < len(there) else None)
        for place in range(longest)
    ]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _holds(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _short(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False) if isinstance(value, str) else as_text(value), 40)
