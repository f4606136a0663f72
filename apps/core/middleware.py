"""Turning failures into pages, in one place; and the way in for the very first admin."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.core.errors import ProductError

GetResponse = Callable[[HttpRequest], HttpResponse]


class ProductErrorMiddleware:
    """A ProductError raised by a page becomes an error page, or a toast for an htmx request."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, ProductError):
            return None
        template = (
            "components/_toast.html" if getattr(request, "htmx", False) else "errors/product_error.html"
        )
        context = {
            "error": exception,
            "title": exception.title,
            "detail": exception.detail,
            "level": "danger",
        }
        return render(request, template, context, status=exception.status)


class FirstStartMiddleware:
    """As long as there is nobody, every page but the first-admin link says how to begin."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self._somebody = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)
