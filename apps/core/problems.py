"""REST errors as problem details (RFC 9457): the one place where a failure becomes an answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.response import Response
from rest_framework.views import set_rollback

from apps.core.errors import ProductError

PROBLEM_TYPE = "application/problem+json"


def problem_details(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Problem details (RFC 9457) for every failure that is not a defect of ours."""
    if isinstance(exc, ProductError):
        set_rollback()
        return _problem(exc.status, exc.title, exc.detail, exc.code, exc.fields, exc.extra)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound("There is nothing at this address in the key's project.")
    if not isinstance(exc, exceptions.APIException):
        return None
    set_rollback()
    title = HTTPStatus(exc.status_code).phrase
    if isinstance(exc, exceptions.ValidationError):
        errors = flat_errors(exc.detail)
        first = next((f"{where}: {what[0]}" for where, what in errors.items()), "The input is not valid.")
        return _problem(exc.status_code, "The input is not valid", first, "invalid_input", errors, {})
    response = _problem(exc.status_code, title, str(exc.detail), exc.get_codes(), {}, {})
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        response["WWW-Authenticate"] = "Bearer"
    wait = getattr(exc, "wait", None)  # of Throttled, in seconds
    if wait:
        response["Retry-After"] = str(int(wait) + 1)
    return response


def _problem(
    status: int, title: str, detail: str, code: Any, errors: dict[str, list[str]], extra: dict[str, Any]
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": sayable(detail),
    }
    body |= {"code": code if isinstance(code, str) else "error"} | extra
    if errors:
        body["errors"] = {
            sayable(where): [sayable(what) for what in texts] for where, texts in errors.items()
        }
    return Response(body, status=status, content_type=PROBLEM_TYPE)


def sayable(text: str) -> str:
    """Messages repeat what was sent, and half of a surrogate pair cannot be sent back."""
    return text.encode(errors="replace").decode()


def flat_errors(detail: Any, path: str = "") -> dict[str, list[str]]:
    """DRF's nested error detail as {"messages[1].content": ["…"]}."""
    flat: dict[str, list[str]] = {}
    if isinstance(detail, dict):
        for key, value in detail.items():
            plain = key == "non_field_errors"
            flat |= flat_errors(value, path if plain else f"{path}.{key}" if path else str(key))
    elif isinstance(detail, list):
        texts = [str(item) for item in detail if isinstance(item, str)]
        if texts:
            flat[path or "body"] = texts
        for number, item in enumerate(detail):
            if not isinstance(item, str):
                flat |= flat_errors(item, f"{path}[{number}]")
    else:
        flat[path or "body"] = [str(detail)]
    return flat


class ProblemSerializer(serializers.Serializer[Any]):
    """Problem details (RFC 9457), as every error is answered."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    # DRF's own name for what is_valid() found; here it is a field of the answer.
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), required=False
    )
