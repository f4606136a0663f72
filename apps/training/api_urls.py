"""REST addresses of fine-tuning and of the registry, under /api/v1/. Each part names its own."""

from django.urls import include, path

urlpatterns = [
    path("", include("apps.training.planning.api_urls")),
    path("", include("apps.training.watching.api_urls")),
    path("", include("apps.training.measuring.api_urls")),
    path("", include("apps.training.registry.api_urls")),
]
