"""Taking a file from a request without holding it in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from django.core.files.base import File
from django.http import HttpRequest
from django.http.request import RawPostDataException
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from apps.core.errors import InvalidInput, TooLarge
from apps.datasets.services.imports import LARGEST_FILE

#: Content types of raw bodies, and the format each stands for.
RAW_TYPES = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.parquet": "parquet",
}
_CHUNK = 1 << 18


@contextmanager
def received_file(request: Request) -> Iterator[tuple[File[bytes], str, str]]:
    """(file, filename, format or "" where it is to be guessed) of a multipart or raw body.

    Raises InvalidInput where there is none, UnsupportedMediaType, TooLarge.
    """
    kind = (request.content_type or "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        file = request.FILES.get("file")
        if file is None:
            message = "Send the file as the form field `file`."
            raise InvalidInput(message, fields={"file": [message]})
        yield cast("File[bytes]", file), file.name or "file", ""
    elif kind in RAW_TYPES:
        format = RAW_TYPES[kind]
        with tempfile.TemporaryFile(prefix="upload-") as spooled:
            _spool(request._request, spooled)
            yield File(spooled, name=f"upload.{format}"), f"upload.{format}", format
    else:
        raise UnsupportedMediaType(kind or "(none)")


def _spool(request: HttpRequest, target: IO[bytes]) -> None:
    size = 0
    try:
        while chunk := request.read(_CHUNK):
            size += len(chunk)
            if size > LARGEST_FILE:
                raise TooLarge(
                    f"The body is larger than {LARGEST_FILE >> 30} GB. Split it and import the parts."
                )
            target.write(chunk)
    except RawPostDataException as error:
        raise InvalidInput("The body was read before it could be imported.") from error
    if not size:
        raise InvalidInput(
            "The body is empty: send the file's content.", fields={"body": ["The body is empty."]}
        )
    target.seek(0)
