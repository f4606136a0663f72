"""Two addresses for load balancers and supervisors; neither needs a sign-in."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from llmops_web.stack.readiness import what_does_not_answer


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """The web process lives."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Database, broker and a worker on each queue answer; 503 names what does not."""
    missing = what_does_not_answer()
    return JsonResponse(
        {"status": "not ready" if missing else "ready", "missing": missing}, status=503 if missing else 200
    )
