"""REST under /api/v1/, one module a room."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

app_name = "api"
urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("", include("apps.core.api_urls")),
    path("", include("apps.providers.api_urls")),
    path("", include("apps.prompts.api_urls")),
    path("", include("apps.datasets.api_urls")),
    path("", include("apps.evaluations.api_urls")),
    path("", include("apps.traces.api_urls")),
    path("", include("apps.workbench.api_urls")),
    path("", include("apps.feedback.api_urls")),
    path("", include("apps.training.api_urls")),
]
