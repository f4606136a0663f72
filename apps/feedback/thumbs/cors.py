"""Which web pages may ask for feedback addresses, as browsers want to be told (CORS). Never with credentials.

A browser's question before the request names no project yet, so it is answered for an origin that any project
allows; the request itself then needs its own project's leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse, HttpResponseBase

from apps.feedback.thumbs.configuration import origin_is_known, own_origin, taking_of
from apps.feedback.thumbs.tokens import FeedbackToken

_MOST_ORIGIN_CHARS = 200
#: Browsers remember the answer for so many seconds.
_REMEMBERED_S = 600


def origin_of(request: Any) -> str:
    """The page's origin as its browser tells it; "" where there is none: a server, not a page.

    Our own pages have one name, whichever of our host names they were opened under.
    """
    origin = str(request.headers.get("Origin") or "").strip().lower()[:_MOST_ORIGIN_CHARS]
    return own_origin() if origin.partition("://")[2] == request.get_host().lower() else origin


def allow_origin(response: HttpResponseBase, origin: str, token: FeedbackToken | None) -> None:
    """Let the page read the answer, if the token's project allows its origin; what a refused token is
    answered, pages of any project's origins may read."""
    response["Vary"] = "Origin"
    if not origin:
        return
    taking = taking_of(token.project_id) if token else None
    if taking.allows(origin) if taking else origin_is_known(origin):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = "Retry-After"


def preflight(origin: str, methods: Sequence[str]) -> HttpResponse:
    """The answer to OPTIONS."""
    response = HttpResponse(status=204)
    response["Vary"] = "Origin"
    if origin and origin_is_known(origin):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Methods"] = ", ".join(methods)
        response["Access-Control-Allow-Headers"] = "Content-Type, Feedback-Token"
        response["Access-Control-Max-Age"] = str(_REMEMBERED_S)
    return response
