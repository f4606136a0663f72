"""How datasets name their parts: which are trained on, which only validate; all others are held out."""

from __future__ import annotations

from collections.abc import Iterable

TRAIN, VALIDATION = "train", "validation"
TRAIN_SPLITS = frozenset({"train", "training"})
VALIDATION_SPLITS = frozenset({"validation", "valid", "val", "dev"})


def has_train(splits: Iterable[str]) -> bool:
    """Whether one of these parts is meant for training; where none is, rows without a part are trained on."""
    return any(part_of(split, has_train=True) == TRAIN for split in splits)


def part_of(split: str, *, has_train: bool) -> str:
    """Either "train" or "validation", or "" for what no training sees."""
    split = split.strip().lower()
    if split in TRAIN_SPLITS or (not split and not has_train):
        return TRAIN
    return VALIDATION if split in VALIDATION_SPLITS else ""
