"""Files as they come: every row is either read or listed with its line and the reason."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from apps.datasets.importers.reading import preview, read_rows
from apps.datasets.importers.rows import MAX_CELL_CHARS, Rejection, Row, SourceError
from apps.datasets.importers.sniffing import sniff


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(content: bytes | str, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def read(path: Path, **options: Any) -> tuple[list[Row], list[Rejection]]:
    items = list(read_rows(path, sniff(path, filename=path.name, **options)))
    rows = [item for item in items if isinstance(item, Row)]
    return rows, [item for item in items if isinstance(item, Rejection)]


@pytest.mark.parametrize(
    ("content", "name", "format", "delimiter"),
    [
        ("a,b\n1,2\n", "x.csv", "csv", ","),
        ("a;b\n1,5;2\n2,5;3\n", "x", "csv", ";"),
        ("a\tb\n1\t2\n", "x.tsv", "csv", "\t"),
        ("a|b\nx|y\n", "x.txt", "csv", "|"),
        ("question\nwhy, oh why\n", "x.csv", "csv", ","),
        ('{"a": 1}\n', "x", "jsonl", ","),
        ('{"a": 1}\n', "x.json", "jsonl", ","),
    ],
)
def test_format_and_delimiter_are_recognised(
    file: Any, content: str, name: str, format: str, delimiter: str
) -> None:
    source = sniff(file(content, name), filename=name)
    assert (source.format, source.delimiter) == (format, delimiter)


def test_a_quoted_cell_may_hold_delimiters_quotes_and_lines(file: Any) -> None:
    rows, rejected = read(file('q,a\n"one, ""two""\nthree",yes\nfour,no\n'))
    assert [row.values for row in rows] == [{"q": 'one, "two"\nthree', "a": "yes"}, {"q": "four", "a": "no"}]
    assert [row.line for row in rows] == [2, 4]
    assert not rejected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_and_utf16_are_understood(file: Any, encoding: str) -> None:
    rows, _ = read(file("naïve,wert\nça,zwölf €\n".encode(encoding), "x.csv"))
    assert rows[0].values == {"naïve": "ça", "wert": "zwölf €"}


def test_a_csv_that_is_not_utf8_says_where_and_offers_what_it_may_be(file: Any) -> None:
    text = "question,answer\n" + "Où est la bibliothèque, s'il vous plaît ?;Là-bas\n".replace(",", " ") * 40
    path = file(text.replace(";", ",").encode("cp1252"), "x.csv")
    with pytest.raises(SourceError) as error:
        sniff(path, filename="x.csv")
    assert "byte 17 (0xf9)" in str(error.value)
    assert error.value.encodings
    rows, _ = read(path, encoding="cp1252")
    assert rows[0].values["question"].startswith("Où est la bibliothèque")


def test_the_byte_offset_is_right_far_into_the_file(file: Any) -> None:
    good = b"a,b\n" + b"x,y\n" * 600_000
    with pytest.raises(SourceError, match=f"byte {len(good):,} "):
        sniff(file(good + b"\xff,z\n", "x.csv"))


def test_ragged_rows_are_rejected_and_the_others_kept(file: Any) -> None:
    rows, rejected = read(file("a,b\n1,2\n1\n1,2,3\n3,4\n"))
    assert [row.line for row in rows] == [2, 5]
    assert [(r.line, r.error) for r in rejected] == [
        (3, "The row has 1 cell, but the file has 2 columns."),
        (4, "The row has 3 cells, but the file has 2 columns."),
    ]


@pytest.mark.parametrize("quoted", [True, False])
def test_a_huge_cell_costs_its_row_and_no_memory(file: Any, quoted: bool) -> None:
    huge = "x" * 50_000_000
    cell = f'"{huge}\n{huge[:1000]}"' if quoted else huge
    path = file(f"a,b\n1,2\n{cell},2\n3,4\n", "x.csv")
    del huge, cell
    tracemalloc.start()
    rows, rejected = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.values["a"] for row in rows] == ["1", "3"]
    assert [r.line for r in rejected] == [3]
    assert f"{MAX_CELL_CHARS:,}" in rejected[0].error
    assert peak < 40_000_000


def test_a_cell_just_too_long_is_rejected_and_reading_goes_on_after_it(file: Any) -> None:
    cell = ("x" * 999 + "\n") * (MAX_CELL_CHARS // 1000 + 2)
    rows, rejected = read(file(f'a,b\n1,2\n"{cell}",2\n3,4\n', "x.csv"))
    assert [row.values["a"] for row in rows] == ["1", "3"]
    assert [r.line for r in rejected] == [3]


def test_a_quote_that_never_closes_costs_one_row(file: Any) -> None:
    rows, rejected = read(file('a,b\n1,2\n3,"four\n5,6\n7,8\n', "x.csv"))
    assert [row.values["a"] for row in rows] == ["1", "5", "7"]
    assert [(r.line, r.error) for r in rejected] == [
        (3, "A quotation mark opens in this row and is never closed.")
    ]


def test_a_csv_without_header_gets_numbered_columns(file: Any) -> None:
    rows, _ = read(file("1,one\n2,two\n", "x.csv"))
    assert [row.values for row in rows] == [
        {"column_1": "1", "column_2": "one"},
        {"column_1": "2", "column_2": "two"},
    ]


def test_columns_without_or_with_the_same_name_are_told_apart(file: Any) -> None:
    rows, _ = read(file("q,,q\nx,y,z\n", "x.csv"), header=True)
    assert rows[0].values == {"q": "x", "column_2": "y", "q_2": "z"}


def test_a_broken_json_line_costs_itself_only(file: Any) -> None:
    lines = ['{"a": 1}', '{"a": 2', "", "[1]", '{"a": NaN}', '{"a": 3}', '{"a": ' + "9" * 5000 + "}"]
    rows, rejected = read(file("\n".join(lines), "x.jsonl"))
    assert [(row.line, row.values["a"]) for row in rows] == [(1, 1), (6, 3)]
    assert [r.line for r in rejected] == [2, 4, 5, 7]
    assert "not valid JSON" in rejected[0].error
    assert "must be an object" in rejected[1].error
    assert "NaN" in rejected[2].error
    assert "too many digits" in rejected[3].error


def test_a_json_line_with_a_byte_that_is_not_utf8_costs_itself_only(file: Any) -> None:
    rows, rejected = read(file(b'{"a": "ok"}\n{"a": "\xff"}\n{"a": "ok"}\n', "x.jsonl"))
    assert [row.line for row in rows] == [1, 3]
    assert "byte 19 of the file" in rejected[0].error


def test_json_nested_too_deep_is_rejected(file: Any) -> None:
    deep = '{"a": ' + "[" * 5000 + "]" * 5000 + "}"
    rows, rejected = read(file(deep + '\n{"a": "[[[["}\n', "x.jsonl"))
    assert [row.line for row in rows] == [2]
    assert "nested deeper" in rejected[0].error


def test_a_huge_json_line_costs_itself_only(file: Any) -> None:
    rows, rejected = read(file('{"a": "' + "x" * 50_000_000 + '"}\n{"a": 1}\n', "x.jsonl"))
    assert [row.line for row in rows] == [2]
    assert [r.line for r in rejected] == [1]


def test_nested_json_is_kept(file: Any) -> None:
    value = {"messages": [{"role": "user", "content": "hi"}], "n": 1.5, "none": None}
    rows, _ = read(file(json.dumps(value), "x.jsonl"))
    assert rows[0].values == value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf\n\n", "empty"),
        (b"\x1f\x8b\x08\x00rest", "gzip"),
        (b"PK\x03\x04rest", "ZIP"),
        (b"PAR1 and no more", "Parquet"),
        (b'[{"a": 1}]', "one JSON list"),
    ],
)
def test_files_that_cannot_be_read_say_why(file: Any, content: bytes, message: str) -> None:
    path = file(content)
    with pytest.raises(SourceError, match=message):
        preview(path, sniff(path, filename="x"))


def test_a_header_without_rows_says_so(file: Any) -> None:
    path = file("a,b\n", "x.csv")
    with pytest.raises(SourceError, match="no rows"):
        preview(path, sniff(path, filename="x.csv"))


def test_parquet_values_become_json(file: Any, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    table = pa.table(
        {
            "text": ["a", "b"],
            "day": [dt.date(2026, 1, 2), None],
            "at": [dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), None],
            "price": pa.array([decimal.Decimal("1.50"), decimal.Decimal("2")], pa.decimal128(10, 2)),
            "nested": [{"x": [1, 2]}, {"x": []}],
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
            "bytes": [b"plain", b"more"],
        }
    )
    path = tmp_path / "x.parquet"
    pq.write_table(table, path)
    rows, rejected = read(path)
    assert not rejected
    assert rows[0].values == {
        "text": "a",
        "day": "2026-01-02",
        "at": "2026-01-02T03:04:00+00:00",
        "price": 1.5,
        "nested": {"x": [1, 2]},
        "map": {"k": 1},
        "bytes": "plain",
    }
    assert rows[1].values["price"] == 2


def test_parquet_rows_with_nan_or_binary_are_rejected(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [1.0, float("nan"), 2.0], "b": [b"x", b"y", b"\xff\xfe"]}), path)
    rows, rejected = read(path)
    assert [row.line for row in rows] == [1]
    assert [(r.line, r.error) for r in rejected] == [
        (2, "Column 'a' holds NaN or infinity, which JSON does not know."),
        (3, "Column 'b' holds bytes that are not text."),
    ]


def test_a_parquet_file_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"a": ["x" * 1_000_000] * 100}), path, compression="zstd", use_dictionary=False)
    with pytest.raises(SourceError, match="unpacks to"):
        preview(path, sniff(path, filename="bomb.parquet"))
