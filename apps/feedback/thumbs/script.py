"""`/feedback.js`: the thumbs for web pages of others, at an address that does not change with its content."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

#: A browser uses it for an hour, then asks whether it is still the same, and meanwhile shows what it has.
_KEPT = "public, max-age=3600, stale-while-revalidate=604800"


def _built() -> Path:
    return Path(settings.BASE_DIR) / "static" / "dist" / "feedback.js"


@cache
def _read(changed_ns: int) -> tuple[bytes, str]:
    """The script and its ETag. `changed_ns` tells one build from the next."""
    script = _built().read_bytes()
    return script, f'"{hashlib.sha256(script).hexdigest()[:32]}"'


def script() -> tuple[bytes, str]:
    return _read(_built().stat().st_mtime_ns)


@require_safe
@condition(etag_func=lambda request: script()[1])
def feedback_js(request: HttpRequest) -> HttpResponse:
    """For any page: without cookies, also where it is isolated from others (COEP) and has a strict CSP."""
    return HttpResponse(
        script()[0],
        content_type="text/javascript; charset=utf-8",
        headers={
            "Cache-Control": _KEPT,
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        },
    )
