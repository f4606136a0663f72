"""What kind of file this is: format, encoding, delimiter, header. Guesses that a person can overrule."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from pathlib import Path

from apps.datasets.importers.encodings import check_encoding, guess_from_head, known_encoding
from apps.datasets.importers.rows import Source, SourceError

FORMATS = ("csv", "jsonl", "parquet")
FORMAT_NAMES = {"csv": "CSV", "jsonl": "JSONL", "parquet": "Parquet"}
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_HEAD = 1 << 16
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"SQLite format 3": "an SQLite database",
}
_EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def sniff(
    path: Path,
    *,
    filename: str = "",
    format: str = "",
    encoding: str = "",
    delimiter: str = "",
    header: bool | None = None,
) -> Source:
    """How to read the file; what is given overrules the guess. Text is checked to be in its encoding from
    the first byte to the last (JSON lines in UTF-8 are checked line by line as they are read).

    Raises SourceError for an empty file, one that is packed, and one that is not in its encoding.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise SourceError("The file is empty.")
    _refuse_packed(head)
    if head.startswith(b"PAR1"):
        return _parquet(format)
    if format == "parquet" or (not format and _EXTENSIONS.get(Path(filename).suffix.lower()) == "parquet"):
        raise SourceError("This is not a Parquet file: it does not begin with PAR1.", field="format")
    codec = known_encoding(encoding) if encoding else guess_from_head(head)
    if format and format not in FORMATS:
        raise SourceError(
            f"{format[:40]!r} is not a format. Use one of: {', '.join(FORMATS)}.", field="format"
        )
    text = _decode_head(head, codec)
    kind = format or _EXTENSIONS.get(Path(filename).suffix.lower()) or _format_of(text)
    if kind == "jsonl":
        _refuse_json_array(text)
        if codec != "utf-8":
            check_encoding(path, codec)
        return Source("jsonl", codec)
    check_encoding(path, codec)
    separator = _delimiter(delimiter) if delimiter else guess_delimiter(text)
    return Source("csv", codec, separator, guess_header(text, separator) if header is None else header)


def _parquet(format: str) -> Source:
    if format and format != "parquet":
        raise SourceError(
            f"This is a Parquet file, not {FORMAT_NAMES.get(format, format[:40])}.", field="format"
        )
    return Source("parquet")


def _refuse_packed(head: bytes) -> None:
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise SourceError(f"The file is {name}. Unpack it, or save it as CSV, JSON lines or Parquet.")


def _decode_head(head: bytes, codec: str) -> str:
    text = codecs.getincrementaldecoder(codec)(errors="replace").decode(head)
    return text.removeprefix("\ufeff")


def _format_of(text: str) -> str:
    start = text.lstrip()
    return (
        "jsonl"
        if start.startswith("{") or (start.startswith("[") and start[1:].lstrip()[:1] in ("{", "]"))
        else "csv"
    )


def _refuse_json_array(text: str) -> None:
    if text.lstrip().startswith("["):
        raise SourceError(
            "The file is one JSON list. JSON lines have one object a line; "
            "turn it round with: jq -c '.[]' file.json > file.jsonl",
            field="format",
        )


def _delimiter(text: str) -> str:
    named = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(text, text)
    if named not in DELIMITERS:
        raise SourceError(
            "The delimiter may be a comma, a semicolon, a tab or a vertical bar.", field="delimiter"
        )
    return named


def guess_delimiter(text: str) -> str:
    """The one that splits the first records into the same number of cells most often, more than one."""
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        widths = [len(record) for record in _records(text, delimiter)]
        if not widths:
            continue
        width, times = Counter(widths).most_common(1)[0]
        score = (times / len(widths)) * min(width - 1, 5) if width > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best


def guess_header(text: str, delimiter: str) -> bool:
    """Whether the first record names columns: no cell of it is empty throughout, a number, or very long."""
    first = next(iter(_records(text, delimiter)), [])
    names = [cell.strip() for cell in first]
    if not any(names) or (len(set(names)) < len(names) and "" not in names):
        return False
    return not any(_is_number(name) or len(name) > 100 for name in names)


def _records(text: str, delimiter: str, most: int = 50) -> list[list[str]]:
    records: list[list[str]] = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if record:
                records.append(record)
            if len(records) > most:
                break
    except csv.Error:
        pass
    return records[:-1] if len(text) >= _HEAD and len(records) > 1 else records


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
