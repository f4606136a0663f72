"""What pages of others load: at the root, so that the address fits on a line and stays."""

from django.urls import path

from apps.feedback.thumbs.script import feedback_js

urlpatterns = [
    path("feedback.js", feedback_js, name="feedback-js"),
]
