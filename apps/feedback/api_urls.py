"""REST addresses of feedback, under /api/v1/. Each part names its own."""

from django.urls import include, path

urlpatterns = [
    path("", include("apps.feedback.completing.api_urls")),
    path("", include("apps.feedback.thumbs.api_urls")),
    path("", include("apps.feedback.queues.api_urls")),
    path("", include("apps.feedback.agreement.api_urls")),
    path("", include("apps.feedback.training_sets.api_urls")),
    path("", include("apps.feedback.erasing.api_urls")),
]
