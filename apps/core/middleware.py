"""Turning failures into pages, in one place; and the way in for the very first admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.core.errors import InvalidInput, ProductError
from apps.core.failures import is_rest, problem_response, wants_json
from apps.core.selectors import anybody

GetResponse = Callable[[HttpRequest], HttpResponse]


class ProductErrorMiddleware:
    """A ProductError raised by a page becomes an error page, a toast for an htmx request, and problem details
    for a request of JSON."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Postgres holds no NUL in text, so whatever a page looked for with it would end as a 500.
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return _answer(
                request, InvalidInput("The address holds a NUL character, which no text here has.")
            )
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return _answer(request, exception) if isinstance(exception, ProductError) else None


def _answer(request: HttpRequest, error: ProductError) -> HttpResponse:
    if wants_json(request):
        told = (error.status, error.detail, error.code, error.title)
        return problem_response(*told, errors=error.fields, extra=error.extra)
    template = "components/_toast.html" if getattr(request, "htmx", False) else "errors/product_error.html"
    context = {"error": error, "title": error.title, "detail": error.detail, "level": "danger"}
    return render(request, template, context, status=error.status)


class FirstStartMiddleware:
    """As long as there is nobody, every page but the first-admin link says how to begin."""

    _OPEN_TO_NOBODY = frozenset({"core:not-set-up", "core:setup", "healthz", "readyz", "feedback-js"})

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._somebody = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        match = request.resolver_match
        if self._somebody or match is None or match.view_name in self._OPEN_TO_NOBODY:
            return None
        if is_rest(request) or self._anybody(request):
            return None
        return redirect("core:not-set-up")

    def _anybody(self, request: HttpRequest) -> bool:
        # Accounts are never deleted, so once there is somebody the question need not be asked again.
        self._somebody = SESSION_KEY in request.session or anybody()
        return self._somebody
