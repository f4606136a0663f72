"""Precision, recall and F1 from counts, by scikit-learn, and the tables that go with them.

Everything is computed from sums: how often each true category was given each category. scikit-learn takes
them as sample weights, which gives the very figures that it gives for the single outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: The table of confusions shows this many categories, the most frequent ones; the rest is summed as "other".
MOST_SHOWN = 30
AVERAGES = ("binary", "macro", "micro", "weighted")


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Shares from 0 to 1; where a denominator is 0 the figure is 0, as scikit-learn has it."""

    precision: float
    recall: float
    f1: float


def single_label_figures(
    pairs: Mapping[tuple[str, str | None], float], average: str, positive: str
) -> ClassFigures:
    """From (true category, given category) → how often. Given None means none could be read: always wrong."""
    labels = _labels(pairs)
    places = {label: place for place, label in enumerate(labels)}
    nowhere = len(labels)
    true = [places[pair[0]] for pair in pairs]
    given = [nowhere if pair[1] is None else places[pair[1]] for pair in pairs]
    wanted = [places[positive]] if average == "binary" and positive in places else list(range(nowhere))
    if average == "binary" and positive not in places:
        return ClassFigures(0.0, 0.0, 0.0)
    return _figures(true, given, wanted, average, list(pairs.values()))


def multi_label_figures(counts: Mapping[str, Sequence[float]], average: str) -> ClassFigures:
    """From category → (rightly given, wrongly given, missed)."""
    import numpy as np

    labels = sorted(counts)
    if not labels:
        return ClassFigures(0.0, 0.0, 0.0)
    size = len(labels)
    on = np.eye(size, dtype=np.int8)
    off = np.zeros((size, size), dtype=np.int8)
    weights = np.array([counts[label] for label in labels], dtype=float)  # (labels, 3)
    true = np.vstack([on, off, on])
    given = np.vstack([on, on, off])
    return _figures(true, given, list(range(size)), average, weights.T.ravel())


def _figures(true: Any, given: Any, labels: list[int], average: str, weights: Any) -> ClassFigures:
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        true,
        given,
        labels=labels,
        average="macro" if average == "binary" else average,  # of the one positive category
        sample_weight=weights,
        zero_division=0,
    )
    return ClassFigures(float(precision), float(recall), float(f1))


def averaged(counts: Mapping[str, Sequence[float]], average: str, positive: str = "") -> ClassFigures:
    """What `_figures` gives, without scikit-learn's checks of its input, for a thousand resamples.

    `counts`: category → (rightly given, wrongly given, missed); only categories that occur. Formulas:
    Sokolova & Lapalme 2009 (Information Processing & Management 45:427), table 3.
    """
    if average == "binary":
        counts = {positive: counts[positive]} if positive in counts else {}
    if average == "micro":
        counts = {"": [sum(column) for column in zip(*counts.values(), strict=True)]} if counts else {}
    if not counts:
        return ClassFigures(0.0, 0.0, 0.0)
    shares = [_shares(*entry) for entry in counts.values()]
    weights = [right + missed if average == "weighted" else 1.0 for right, _, missed in counts.values()]
    total = sum(weights)
    if not total:
        return ClassFigures(0.0, 0.0, 0.0)
    return ClassFigures(
        *(
            sum(w * share for w, share in zip(weights, column, strict=True)) / total
            for column in zip(*shares, strict=True)
        )
    )


def counts_of(pairs: Mapping[tuple[str, str | None], float]) -> dict[str, list[float]]:
    """Category → (rightly given, wrongly given, missed), from (true, given) → how often."""
    counts: dict[str, list[float]] = {}
    for (true, given), count in pairs.items():
        if true == given:
            counts.setdefault(true, [0.0, 0.0, 0.0])[0] += count
        else:
            counts.setdefault(true, [0.0, 0.0, 0.0])[2] += count
            if given is not None:
                counts.setdefault(given, [0.0, 0.0, 0.0])[1] += count
    return counts


def _shares(right: float, wrong: float, missed: float) -> tuple[float, float, float]:
    """Precision, recall and F1; 0 where there is nothing to divide by."""
    return (
        right / (right + wrong) if right + wrong else 0.0,
        right / (right + missed) if right + missed else 0.0,
        2 * right / (2 * right + wrong + missed) if right + wrong + missed else 0.0,
    )


def by_category(pairs: Mapping[tuple[str, str | None], float]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and number of examples of each category, the most frequent first."""
    return by_category_of(counts_of(pairs))


def by_category_of(counts: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """The same from category → (rightly given, wrongly given, missed)."""
    order = sorted(counts, key=lambda label: (-(counts[label][0] + counts[label][2]), label))
    return [_row(label, *counts[label]) for label in order[:MOST_SHOWN]]


def _row(label: str, right: float, wrong: float, missed: float) -> dict[str, Any]:
    precision, recall, f1 = _shares(right, wrong, missed)
    return {
        "label": label,
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "support": int(right + missed),
    }


def confusion(pairs: Mapping[tuple[str, str | None], float]) -> dict[str, Any]:
    """The matrix of confusions: `counts[i][j]` examples of `labels[i]` were given `columns[j]`.

    `columns` are the labels and, where they occur, "other" and "none" (no category could be read).
    """
    shown = [label for label, _ in _by_frequency(pairs)[:MOST_SHOWN]]
    places = {label: place for place, label in enumerate(shown)}
    other, none, rest = len(shown), len(shown) + 1, len(shown)
    grid = [[0] * (len(shown) + 2) for _ in range(len(shown) + 1)]
    for (true, given), count in pairs.items():
        column = none if given is None else places.get(given, other)
        grid[places.get(true, rest)][column] += int(count)
    used = [column for column in range(len(shown) + 2) if column < other or any(row[column] for row in grid)]
    rows = [row for row in range(len(shown) + 1) if row < rest or any(grid[row])]
    names = [*shown, "other"]
    headings = [*shown, "other", "none"]
    return {
        "labels": [names[row] for row in rows],
        "columns": [headings[column] for column in used],
        "counts": [[grid[row][column] for column in used] for row in rows],
    }


def _labels(pairs: Mapping[tuple[str, str | None], float]) -> list[str]:
    """Every category that is true or was given, sorted."""
    return sorted({label for pair in pairs for label in pair if label is not None})


def _by_frequency(pairs: Mapping[tuple[str, str | None], float]) -> list[tuple[str, float]]:
    totals = dict.fromkeys(_labels(pairs), 0.0)
    for (true, _), count in pairs.items():
        totals[true] += count
    return sorted(totals.items(), key=lambda entry: (-entry[1], entry[0]))
