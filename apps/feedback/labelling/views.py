"""The page on which a queue's items are judged; its script asks apps.feedback.queues for them."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.feedback.labelling.page import boot_of
from apps.feedback.queues.selectors import queue_get


@project_view(Role.ANNOTATOR)
@require_safe
def queue_label(request: ProjectRequest, slug: str) -> HttpResponse:
    queue = queue_get(project=request.project, slug=slug)
    context = {"queue": queue, "boot": boot_of(request=request, queue=queue)}
    return render(request, "feedback/label.html", context)


@project_view(Role.ANNOTATOR)
@require_safe
@never_cache
def queue_label_who(request: ProjectRequest, slug: str) -> JsonResponse:
    """Whose session this browser has now, and a token for it: an open page asks before it takes a refusal for
    one, as somebody else may have signed in meanwhile."""
    queue_get(project=request.project, slug=slug)
    return JsonResponse({"user": str(request.user.pk), "csrf": get_token(request)})
