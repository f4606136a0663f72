"""From columns to examples."""

from __future__ import annotations

from typing import Any

import pytest

from apps.datasets.importers.mapping import (
    Mapper,
    Mapping,
    MappingError,
    check_mapping,
    guess_mapping,
    mapped_row,
)
from apps.datasets.importers.rows import Row
from apps.datasets.importers.values import BadValue


def row(**values: Any) -> Row:
    return Row(1, values)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["id", "question", "answer"], Mapping(["question"], "answer", [], "id")),
        (["text", "label", "split", "topic"], Mapping(["text"], "label", ["topic"], "", "split")),
        (["source", "target"], Mapping(["source"], "target")),
        (["answer"], Mapping(["answer"])),
        (["id"], Mapping(["id"])),
    ],
)
def test_the_mapping_is_guessed_from_names(columns: list[str], expected: Mapping) -> None:
    rows = [Row(n, {name: f"{name} {n}" for name in columns}) for n in (1, 2)]
    assert guess_mapping(columns, rows) == expected


def test_an_id_that_repeats_is_no_key() -> None:
    assert guess_mapping(["id", "q"], [row(id="1", q="a"), row(id="1", q="b")]).key == ""


def test_a_column_of_json_texts_is_recognised() -> None:
    guessed = guess_mapping(["q", "a"], [row(q='[{"role": "user"}]', a="[no"), row(q="{}", a="x")])
    assert guessed.json == ["q"]


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(
        MappingError, match=r"no column 'qestion' \(inputs\). Its columns are: question, answer"
    ):
        check_mapping(Mapping(["qestion"]), ["question", "answer"])


def test_an_export_is_taken_apart_again() -> None:
    mapper = Mapper(Mapping(["inputs"], "reference", ["metadata"]), text_only=False)
    mapped = mapper.map(row(inputs={"q": "x"}, reference="y", metadata={"topic": "z"}))
    assert (mapped.inputs, mapped.reference, mapped.metadata) == ('{"q":"x"}', '"y"', '{"topic":"z"}')
    assert mapper.columns() == {
        "inputs": ["q"],
        "reference": "reference",
        "metadata": ["topic"],
        "splits": [],
    }


def test_the_made_key_depends_on_the_inputs_alone_and_not_on_their_order() -> None:
    one = mapped_row(1, {"a": 1, "b": 2}, "x", {}, "")
    two = mapped_row(2, {"b": 2, "a": 1}, "y", {"m": 1}, "test")
    assert one.key == two.key
    assert one.content_hash != two.content_hash


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("a\x00b", "NUL"),
        ("\ud800", "surrogate"),
        ({"a": ["\x00"]}, "NUL"),
        ({"a\x00": 1}, "NUL"),
        (["\udfff"], "surrogate"),
        (float("inf"), "infinity"),
        ({"a": float("nan")}, "NaN"),
        ("x" * 1_000_001, "longer than 1,000,000"),
        ({"a": "x" * 1_000_001}, "longer than 1,000,000"),
    ],
)
def test_values_that_cannot_be_kept_are_named_with_their_column(value: Any, why: str) -> None:
    mapper = Mapper(Mapping(["q"]), text_only=False)
    with pytest.raises(BadValue, match=f"Column 'q'.*{why}"):
        mapper.map(row(q=value))


def test_the_text_backslash_u0000_is_not_a_nul() -> None:
    assert Mapper(Mapping(["q"]), text_only=False).map(row(q=["\\u0000"])).inputs == '{"q":["\\\\u0000"]}'


def test_an_empty_reference_of_a_csv_is_no_reference() -> None:
    assert Mapper(Mapping(["q"], "a"), text_only=True).map(row(q="x", a="")).reference is None
    assert Mapper(Mapping(["q"], "a"), text_only=False).map(row(q="x", a="")).reference == '""'


@pytest.mark.parametrize("key", ["", None, "k" * 201, {"a": 1}])
def test_a_key_must_name(key: Any) -> None:
    with pytest.raises(BadValue, match="'id'"):
        Mapper(Mapping(["q"], key="id"), text_only=False).map(row(q="x", id=key))
