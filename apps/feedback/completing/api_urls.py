"""REST addresses."""

from django.urls import path

from apps.feedback.completing.api import CompletionView

urlpatterns = [
    path("prompts/<slug:slug>/complete/", CompletionView.as_view(), name="prompt-complete"),
]
