"""Aligning two sequences of lines or words at a bounded cost.

difflib's matcher takes up to cubic time on repetitive input. So sequences are first split at stretches that
occur once in each (patience diff: B. Cohen, "Patience Diff Advantages", 2010), and difflib sees only the
gaps between, up to a fixed amount; a gap beyond that counts as replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

Tag = Literal["equal", "replace"]
Step = tuple[Tag, Sequence[str], Sequence[str]]
MAX_GAP_PAIRS = 40_000
MAX_ALL_PAIRS = 600_000
_STRETCHES = (1, 4, 12)


class Allowance:
    """How many pairs difflib may still look at; shared by all alignments of one diff."""

    def __init__(self) -> None:
        self.pairs = MAX_ALL_PAIRS

    def take(self, pairs: int) -> bool:
        if pairs > MAX_GAP_PAIRS or pairs > self.pairs:
            return False
        self.pairs -= pairs
        return True


def align(old: Sequence[str], new: Sequence[str], allowance: Allowance) -> list[Step]:
    """Steps in order that make `new` of `old`: ("equal", items, items) or ("replace", removed, added)."""
    return list(_aligned(old, new, _STRETCHES, allowance))


def _aligned(
    old: Sequence[str], new: Sequence[str], stretches: tuple[int, ...], allowance: Allowance
) -> Iterator[Step]:
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    if start:
        yield "equal", old[:start], new[:start]
    yield from _middle(old[start : len(old) - end], new[start : len(new) - end], stretches, allowance)
    if end:
        yield "equal", old[len(old) - end :], new[len(new) - end :]


def _common(old: Sequence[str], new: Sequence[str]) -> int:
    count = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        count += 1
    return count


def _middle(
    old: Sequence[str], new: Sequence[str], stretches: tuple[int, ...], allowance: Allowance
) -> Iterator[Step]:
    if not old or not new:
        if old or new:
            yield "replace", old, new
        return
    if allowance.take(len(old) * len(new)):
        for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            yield ("equal" if tag == "equal" else "replace"), old[i:j], new[k:m]
        return
    if not stretches:
        yield "replace", old, new
        return
    i = k = 0
    for a, b in [*_anchors(old, new, stretches[0]), (len(old), len(new))]:
        if a < i or b < k:
            continue
        if a > i or b > k:
            yield from _aligned(old[i:a], new[k:b], stretches[1:], allowance)
        if a < len(old):
            yield "equal", old[a : a + 1], new[b : b + 1]
        i, k = a + 1, b + 1


def _anchors(old: Sequence[str], new: Sequence[str], length: int) -> list[tuple[int, int]]:
    """Positions (in old, in new) where a stretch of `length` items begins that is unique in both."""
    old_places, new_places = _unique(old, length), _unique(new, length)
    pairs = sorted((place, new_places[key]) for key, place in old_places.items() if key in new_places)
    return _longest_rising(pairs)


def _unique(items: Sequence[str], length: int) -> dict[tuple[str, ...], int]:
    keys = [tuple(items[i : i + length]) for i in range(len(items) - length + 1)]
    counts = Counter(keys)
    return {key: place for place, key in enumerate(keys) if counts[key] == 1}


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second numbers rise (patience sorting)."""
    tops: list[int] = []
    top_pairs: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        pile = bisect_left(tops, place)
        before.append(top_pairs[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(place)
            top_pairs.append(index)
        else:
            tops[pile], top_pairs[pile] = place, index
    chain: list[tuple[int, int]] = []
    index = top_pairs[-1] if top_pairs else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]
