"""Rows of files as pairs, and files as rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.core.errors import InvalidInput
from apps.datasets.importers.rows import Rejection, Row, SourceError
from apps.feedback.pairs.mapping import PairMapping, check_mapping, guess_mapping
from apps.feedback.pairs.reading import PairFile
from apps.feedback.pairs.rows import BadPair, read_pair

PANDALM = ["idx", "cmp_key", "instruction", "input", "response1", "response2", "annotator1", "annotator2"]
HH: dict[str, Any] = {
    "chosen": "\n\nHuman: Hello?\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant: Because.",
    "rejected": "\n\nHuman: Hello?\n\nAssistant: Yes?\n\nHuman: Why?\n\nAssistant: Go away.",
}
ARENA = PairMapping(("prompt",), "a", "b", ("winner",), "model_a", "model_b")


def test_the_columns_of_known_files_are_known() -> None:
    assert guess_mapping(PANDALM) == PairMapping(
        ("instruction", "input"), "response1", "response2", ("annotator1", "annotator2"), names="cmp_key"
    )
    assert guess_mapping(["chosen", "rejected"]) == PairMapping((), "chosen", "rejected", first_won=True)
    found = guess_mapping(["Question", "answer_a", "answer_b", "winner", "model_a", "model_b"])
    assert found == PairMapping(("Question",), "answer_a", "answer_b", ("winner",), "model_a", "model_b")
    assert guess_mapping(["text", "label"]) is None
    assert PairMapping.read(found.as_json()) == found


def test_a_mapping_names_columns_that_are_there_and_two_answers() -> None:
    check_mapping(ARENA, ["prompt", "a", "b", "winner", "model_a", "model_b"])
    with pytest.raises(InvalidInput, match="no column winner, model_a, model_b"):
        check_mapping(ARENA, ["prompt", "a", "b"])
    with pytest.raises(InvalidInput, match="in two columns"):
        check_mapping(PairMapping(first="a", second="a"), ["a"])
    for wrong in ({"votes": "winner"}, {"winner": "a"}, {"first": 1}, {"prompt": [1]}):
        with pytest.raises(InvalidInput, match="A mapping has"):
            PairMapping.read(wrong)


def test_a_conversation_is_told_apart_from_its_last_answer() -> None:
    mapping = guess_mapping(list(HH))
    assert mapping is not None
    pair = read_pair(HH, mapping)
    assert [one["role"] for one in pair.content["messages"]] == ["user", "assistant", "user"]
    assert [one["text"] for one in pair.content["answers"]] == ["Because.", "Go away."]
    assert pair.votes == {"chosen": "first"}
    listed = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    other = [listed[0], {"role": "assistant", "content": "Hu"}]
    found = read_pair(
        {"prompt": "Hi", "chosen": listed, "rejected": other}, PairMapping(("prompt",), "chosen", "rejected")
    )
    assert found.content["messages"] == [listed[0]]
    with pytest.raises(BadPair, match="two different conversations"):
        read_pair({**HH, "rejected": "\n\nHuman: Hi\n\nAssistant: Ho"}, mapping)
    with pytest.raises(BadPair, match="does not end with an answer"):
        read_pair({**HH, "chosen": "\n\nHuman: Hi"}, mapping)


@pytest.mark.parametrize(
    ("said", "vote"),
    [
        ("A", "first"),
        ("model_b", "second"),
        (0, "tie"),
        (2, "second"),
        ("tie (bothbad)", "bad"),
        (1.0, "first"),
    ],
)
def test_a_vote_is_read_as_people_write_it(said: Any, vote: str) -> None:
    row = {"prompt": "p", "a": "x", "b": "y", "winner": said, "model_a": "m", "model_b": "n"}
    pair = read_pair(row, ARENA)
    assert pair.votes == {"winner": vote}
    assert pair.content["answers"][1] == {"text": "y", "name": "n", "model": "n"}
    assert pair.fingerprint == read_pair({**row, "winner": None}, ARENA).fingerprint
    assert pair.fingerprint != read_pair({**row, "model_b": "o"}, ARENA).fingerprint


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"winner": "maybe"}, "winner says “maybe”"),
        ({"winner": True}, "winner says “True”"),
        ({"a": {"x": 1}}, "a holds an object"),
        ({"a": "\x00"}, "NUL"),
        ({"a": "\ud800"}, "half of a character"),
        ({"a": "x" * 400_001}, "longer than 400,000"),
        ({"prompt": "", "a": "", "b": ""}, "neither a prompt nor an answer"),
        ({"a": [{"role": "tool", "content": "x"}]}, "a message has a role"),
    ],
)
def test_what_is_no_pair_says_why(row: dict[str, Any], why: str) -> None:
    with pytest.raises(BadPair, match=why):
        read_pair({"prompt": "p", "a": "x", "b": "y", "winner": "A", **row}, ARENA)


def test_a_list_is_read_with_the_lines_on_which_its_rows_begin(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    path.write_text('\ufeff[\n {"a": 1,\n  "b": 2},\n 7,\n {"a": 3}, {"a": 4}\n ,{"a": NaN}]')
    rows = list(PairFile(path, path.name).rows())
    assert [row.line for row in rows] == [2, 4, 5, 5, 6]
    assert [isinstance(row, Row) for row in rows] == [True, False, True, True, False]
    last = rows[-1]
    assert isinstance(last, Rejection)
    assert "NaN" in last.error
    path.write_text('[{"a": 1} {"a": 2}]')
    assert PairFile(path, path.name).columns() == ["a"]
    assert "comma" in str(list(PairFile(path, path.name).rows())[-1])
    path.write_text("[]")
    with pytest.raises(SourceError, match="empty"):
        PairFile(path, path.name).columns()
    path.write_text("[" * 100_000)
    with pytest.raises(SourceError, match="cannot be read"):
        PairFile(path, path.name).columns()
