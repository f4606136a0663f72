"""What is answered where no view answers: problem details under /api/ and to a page's own requests for JSON,
pages elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults

from apps.core.problems import PROBLEM_TYPE

_API = "/api/"
#: How SQLSTATEs begin of what the database says when it goes away: connection failures, and shutting down.
_GONE = ("08", "57P")
_COME_AGAIN_S = 5
_NOTHING_HERE = "There is nothing at this address. See /api/v1/schema/."


def problem_response(
    status: int,
    detail: str,
    code: str,
    title: str = "",
    errors: Mapping[str, Sequence[str]] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> JsonResponse:
    """Problem details (RFC 9457) outside of a REST view; `errors` by place, `extra` is added at the top."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    body |= dict(extra or {})
    if errors:
        body["errors"] = dict(errors)
    return JsonResponse(body, status=status, content_type=PROBLEM_TYPE)


def is_rest(request: HttpRequest) -> bool:
    return request.path_info.startswith(_API)


def wants_json(request: HttpRequest) -> bool:
    """True for REST, and for what a page's script asks for as JSON."""
    return is_rest(request) or request.headers.get("Accept", "").startswith("application/json")


def bad_request(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    if wants_json(request):
        return problem_response(400, "The server could not read the request.", "bad_request")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    if wants_json(request):
        return problem_response(403, "This is not allowed.", "refused")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    if wants_json(request):
        return problem_response(
            404, _NOTHING_HERE if is_rest(request) else "There is nothing at this address.", "not_found"
        )
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    if _database_is_away(sys.exc_info()[1]):
        return _come_again(request)
    if wants_json(request):
        detail = "The server failed, and has written the reason to its log. Nothing was saved."
        return problem_response(500, detail, "server_error")
    return defaults.server_error(request)


def _database_is_away(error: BaseException | None) -> bool:
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)  # none where there was no server to give one
    return state is None or state.startswith(_GONE)


def _come_again(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        detail = "The database does not answer, so nothing was read or saved. Try again in a moment."
        response: HttpResponse = problem_response(503, detail, "database_away")
    else:
        response = render(request, "503.html", status=503)
    response["Retry-After"] = str(_COME_AGAIN_S)
    return response
