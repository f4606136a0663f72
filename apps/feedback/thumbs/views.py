"""The page of a project's feedback settings."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from apps.core.errors import ProductError
from apps.core.roles import Role
from apps.core.views import ProjectRequest, project_view
from apps.feedback.thumbs.configuration import feedback_settings, feedback_settings_save
from apps.feedback.thumbs.forms import FeedbackSettingsForm, initial_of
from apps.feedback.thumbs.rules import rule_in_words, rule_read


@project_view(Role.ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def feedback_settings_page(request: ProjectRequest) -> HttpResponse:
    kept = feedback_settings(request.project)
    form = FeedbackSettingsForm(request.POST or None, initial=initial_of(kept))
    if request.method == "POST" and form.is_valid():
        try:
            feedback_settings_save(project=request.project, by=request.actor, **form.settings())
        except ProductError as exc:
            form.add_product_error(exc)
        else:
            messages.success(request, "Saved. Every process knows it within five seconds.")
            return redirect("feedback:settings", request.project.slug)
    context = {
        "form": form,
        "in_words": rule_in_words(rule_read(kept.rule)),
        "is_applied": kept.rule_waits_from is None,
        "script_url": settings.PUBLIC_URL + reverse("feedback-js"),
        "origins": kept.allowed_origins,
    }
    return render(request, "feedback/settings.html", context, status=422 if form.errors else 200)
