"""News of the signed-in person: the bell, the list, what is read, and whether they come by mail too."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.core.notifications import (
    mail_is_set_up,
    news_get,
    news_of,
    news_read,
    unread_count,
    wants_mail_set,
)
from apps.core.pages import keyset
from apps.core.views import UserRequest, signed_in


@signed_in
@never_cache
@require_safe
def bell(request: UserRequest) -> HttpResponse:
    """The bell of the page frame, with how many news are unread."""
    return render(request, "core/_bell.html", {"unread": unread_count(request.user), "known": True})


@signed_in
@require_safe
def notifications(request: UserRequest) -> HttpResponse:
    context = {
        "page": keyset(news_of(request.user), request),
        "unread": unread_count(request.user),
        "mail_is_set_up": mail_is_set_up(),
    }
    return render(request, "core/notifications.html", context)


@signed_in
@require_POST
def notification_open(request: UserRequest, news_id: UUID) -> HttpResponse:
    """Mark it as read, and go to what it tells of; with `stay`, back to the list."""
    news = news_get(user=request.user, id=news_id)
    news_read(user=request.user, id=news.pk)
    return redirect("core:notifications" if "stay" in request.POST or not news.url else news.url)


@signed_in
@require_POST
def notifications_read(request: UserRequest) -> HttpResponse:
    news_read(user=request.user)
    return redirect("core:notifications")


@signed_in
@require_POST
def notifications_mail(request: UserRequest) -> HttpResponse:
    wants = request.POST.get("wants_mail") == "on"
    wants_mail_set(user=request.user, wants=wants)
    messages.success(request, "News come by mail too." if wants else "News come without mail from now on.")
    return redirect("core:notifications")
