"""What is answered where no view answers: problem details under /api/, pages elsewhere."""

from __future__ import annotations

import sys
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


def problem_response(status: int, detail: str, code: str, title: str = "") -> JsonResponse:
    """Problem details (RFC 9457) outside of a REST view."""
    body = {"type": "about:blank", "title": title or HTTPStatus(status).phrase, "status": status}
    return JsonResponse(body | {"detail": detail, "code": code}, status=status, content_type=PROBLEM_TYPE)


def is_rest(request: HttpRequest) -> bool:
    return request.path_info.startswith(_API)


def bad_request(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    if is_rest(request):
        return problem_response(400, "The server could not read the request.", "bad_request")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    if is_rest(request):
        return problem_response(403, "This is not allowed.", "refused")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception, **kwargs: Any) -> HttpResponse:
    if is_rest(request):
        return problem_response(404, "There is nothing at this address. See /api/v1/schema/.", "not_found")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    if _database_is_away(sys.exc_info()[1]):
        return _come_again(request)
    if is_rest(request):
        detail = "The server failed, and has written the reason to its log. Nothing was saved."
        return problem_response(500, detail, "server_error")
    return defaults.server_error(request)


def _database_is_away(error: BaseException | None) -> bool:
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)  # none where there was no server to give one
    return state is None or state.startswith(_GONE)


def _come_again(request: HttpRequest) -> HttpResponse:
    if is_rest(request):
        detail = "The database does not answer, so nothing was read or saved. Try again in a moment."
        response: HttpResponse = problem_response(503, detail, "database_away")
    else:
        response = render(request, "503.html", status=503)
    response["Retry-After"] = str(_COME_AGAIN_S)
    return response
