"""Downloads that are made while they are sent, however long they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

_LINES_AT_A_TIME = 1000


def download(
    request: HttpRequest, lines: Iterator[str], *, name: str, content_type: str
) -> StreamingHttpResponse:
    """`lines` as a file called `name` (of our own making: letters, digits, dots and dashes).

    Under ASGI, Django would gather an ordinary iterator whole before it sent anything, so there the lines
    are drawn some at a time in the request's own thread.
    """
    content = _drawn(lines) if isinstance(request, ASGIRequest) else lines
    response = StreamingHttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _drawn(lines: Iterator[str]) -> AsyncIterator[str]:
    while chunk := await sync_to_async(_some_of)(lines):
        yield chunk


def _some_of(lines: Iterator[str]) -> str:
    return "".join(islice(lines, _LINES_AT_A_TIME))
