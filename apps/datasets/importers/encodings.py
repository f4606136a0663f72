"""Which characters a file's bytes stand for: checked over the whole file before anything is read from it."""

from __future__ import annotations

import codecs
from pathlib import Path

from apps.datasets.importers.rows import SourceError

#: What a person may choose, by the names Python knows.
ENCODINGS: dict[str, str] = {
    "utf-8": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16, little-endian",
    "utf-16-be": "UTF-16, big-endian",
    "cp1252": "Western European (Windows-1252)",
    "iso8859-1": "Western European (ISO 8859-1)",
    "iso8859-15": "Western European with the euro sign (ISO 8859-15)",
    "cp1250": "Central European (Windows-1250)",
    "iso8859-2": "Central European (ISO 8859-2)",
    "cp1251": "Cyrillic (Windows-1251)",
    "koi8-r": "Cyrillic (KOI8-R)",
    "cp1253": "Greek (Windows-1253)",
    "cp1254": "Turkish (Windows-1254)",
    "cp1255": "Hebrew (Windows-1255)",
    "cp1256": "Arabic (Windows-1256)",
    "cp932": "Japanese (Shift JIS, Windows-932)",
    "euc-jp": "Japanese (EUC-JP)",
    "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)",
    "cp949": "Korean (Windows-949)",
    "cp437": "MS-DOS (437)",
    "mac-roman": "Mac Roman",
}
_BLOCK = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def known_encoding(name: str) -> str:
    """The name as ENCODINGS has it. Raises SourceError for one that is not offered."""
    try:
        wanted = codecs.lookup(name).name
    except (LookupError, ValueError, UnicodeError):
        wanted = ""
    for offered in ENCODINGS:
        if codecs.lookup(offered).name == wanted:
            return offered
    raise SourceError(
        f"{name[:40]!r} is not an encoding that can be read. Use one of: {', '.join(ENCODINGS)}.",
        field="encoding",
    )


def byte_order_mark(head: bytes) -> tuple[str, int] | None:
    """The encoding that the file's first bytes announce, and how many bytes do so."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, len(mark)
    return None


def guess_from_head(head: bytes) -> str:
    """The encoding to try first: what the byte order mark says, UTF-16 where every second byte is NUL."""
    mark = byte_order_mark(head)
    if mark:
        return mark[0]
    sample = head[:4096]
    if len(sample) >= 4:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        half = len(sample) // 2
        if odd > half * 0.4 and even < half * 0.05:
            return "utf-16-le"
        if even > half * 0.4 and odd < half * 0.05:
            return "utf-16-be"
    return "utf-8"


def check_encoding(path: Path, encoding: str) -> None:
    """Decode the whole file, block by block. Raises SourceError with the first byte that does not fit."""
    decoder = codecs.getincrementaldecoder(encoding)()
    start = 0
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                raise _wrong_encoding(path, encoding, start - pending + error.start) from None
            if not block:
                return
            start += len(block)


def _wrong_encoding(path: Path, encoding: str, offset: int) -> SourceError:
    with path.open("rb") as file:
        byte = file.seek(offset) is not None and file.read(1)
    guesses = guess_encodings(path, offset, besides=encoding)
    shown = f" (0x{byte[0]:02x})" if byte else ""
    offer = (
        f" It may be {' or '.join(ENCODINGS[name] for name in guesses)}: choose the encoding."
        if guesses
        else ""
    )
    name = ENCODINGS.get(encoding, encoding)
    return SourceError(
        f"The file is not {name}: byte {offset:,}{shown} does not fit.{offer} "
        f"Or save the file as UTF-8 and send it again.",
        field="encoding",
        encodings=guesses,
    )


def guess_encodings(path: Path, offset: int, *, besides: str) -> list[str]:
    """Up to three encodings that the text around `offset` may be in, the likeliest first."""
    from charset_normalizer import from_bytes

    with path.open("rb") as file:
        file.seek(max(0, offset - 8192))
        sample = file.read(24_576)
    candidates = [
        name for name in ENCODINGS if name not in (besides, "utf-16", "utf-16-le", "utf-16-be", "cp437")
    ]
    found = from_bytes(sample, cp_isolation=[codecs.lookup(name).name for name in candidates])
    # Of equally likely ones, the more common comes first: ENCODINGS is in that order.
    order = list(ENCODINGS)
    likeliest = sorted(
        (round(match.chaos, 2), order.index(name), name)
        for match in found
        if (name := _offered(match.encoding))
    )
    names = [name for _, _, name in likeliest]
    western = "cp1252"
    if not names and besides != western:
        names = [western]
    return list(dict.fromkeys(names))[:3]


def _offered(name: str) -> str | None:
    try:
        return known_encoding(name)
    except SourceError:
        return None
