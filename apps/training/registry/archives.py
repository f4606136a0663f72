"""Sending an archive while it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header


def archive_response(request: HttpRequest, pieces: Iterator[bytes], filename: str) -> StreamingHttpResponse:
    """Under ASGI the pieces are drawn one by one from the request's own thread: Django would gather an
    ordinary iterator whole in memory there."""
    content = _in_turn(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    return response


async def _in_turn(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(lambda: next(pieces, None), thread_sensitive=True)
    while (piece := await following()) is not None:
        yield piece
