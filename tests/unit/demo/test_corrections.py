"""What the demo trains on has nothing of what it is measured on."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from rapidfuzz import fuzz, process

from llmops_web.demo import content

Row = dict[str, str]
#: Two texts that are closer than this, of 100, are one sentence with a word or two changed.
TOO_CLOSE = 80


def rows_of(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def words(text: str) -> list[str]:
    return re.findall(r"[a-zéöü']+", text.lower())


def plain(text: str) -> str:
    return " ".join(words(text))


def test_there_are_at_least_300_pairs_to_train_on_and_each_is_there_once() -> None:
    pairs = rows_of(content.CORRECTIONS)
    assert sum(row["split"] == "train" for row in pairs) >= 300
    assert {row["split"] for row in pairs} == {"train", "validation"}
    assert len({plain(row["sentence"]) for row in pairs}) == len(pairs)
    assert all(row["sentence"].strip() and row["correction"].strip() and row["mistake"] for row in pairs)


def test_no_pair_is_a_sentence_of_the_comparison_nor_close_to_one() -> None:
    pairs, held_out = rows_of(content.CORRECTIONS), rows_of(content.SENTENCES)
    for column in ("sentence", "correction"):
        ours, theirs = ([plain(row[column]) for row in rows] for rows in (pairs, held_out))
        nearest = process.cdist(ours, theirs, scorer=fuzz.ratio)
        row, column_at = divmod(int(nearest.argmax()), len(theirs))
        assert nearest.max() < TOO_CLOSE, (ours[row], theirs[column_at])


def test_no_misspelt_word_of_the_comparison_is_learnt_by_heart() -> None:
    """Words that no correct sentence has ("buyed", "tommorow") are in one of the two files only."""
    pairs, held_out = rows_of(content.CORRECTIONS), rows_of(content.SENTENCES)
    correct = {word for row in (*pairs, *held_out) for word in words(row["correction"])}
    wrong = [
        {word for row in rows for word in words(row["sentence"])} - correct for rows in (pairs, held_out)
    ]
    assert all(wrong)
    assert wrong[0] & wrong[1] == {"nothing"}, "an ordinary word, only not after another “not”"
