"""REST addresses."""

from django.urls import path

from apps.feedback.thumbs.api import FeedbackTokenView, FeedbackView, OwnFeedbackView

urlpatterns = [
    path("feedback/", FeedbackView.as_view(), name="feedback-list"),
    path("feedback/own/", OwnFeedbackView.as_view(), name="feedback-own"),
    path("feedback-tokens/", FeedbackTokenView.as_view(), name="feedback-token"),
]
