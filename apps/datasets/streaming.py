"""Downloads that are sent while they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header

from apps.datasets.exporting import FORMATS, export_version
from apps.datasets.models import DatasetVersion


def export_response(request: HttpRequest, version: DatasetVersion, format: str) -> StreamingHttpResponse:
    filename = f"{version.dataset.slug}-v{version.number}.{format}"
    return stream_response(request, export_version(version, format), FORMATS[format], filename)


def stream_response(
    request: HttpRequest, chunks: Iterator[str], content_type: str, filename: str
) -> StreamingHttpResponse:
    """A download. Under ASGI the chunks are pulled one by one from the request's own thread: Django would
    gather an ordinary iterator whole in memory there."""
    content = _in_turn(chunks) if isinstance(request, ASGIRequest) else chunks
    response = StreamingHttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, filename) or "attachment"
    return response


async def _in_turn(chunks: Iterator[str]) -> AsyncIterator[str]:
    following = sync_to_async(lambda: next(chunks, None), thread_sensitive=True)
    while (chunk := await following()) is not None:
        yield chunk
