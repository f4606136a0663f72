"""Every address of the application: account pages, project pages by room, REST, health."""

from django.urls import include, path

from llmops_web import health

PROJECT = "p/<slug:project_slug>/"

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("account/", include("apps.core.account_urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("api/v1/", include("llmops_web.api_urls")),
    path("", include("apps.core.urls")),
    path("", include("apps.feedback.public_urls")),
    path(f"{PROJECT}providers/", include("apps.providers.urls")),
    path(f"{PROJECT}prompts/", include("apps.prompts.urls")),
    path(f"{PROJECT}prompts/", include("apps.workbench.urls")),
    path(f"{PROJECT}datasets/", include("apps.datasets.urls")),
    path(f"{PROJECT}traces/", include("apps.traces.urls")),
    path(f"{PROJECT}feedback/", include("apps.feedback.urls")),
    path(PROJECT, include("apps.training.urls")),
    path(PROJECT, include("apps.evaluations.urls")),
]

handler400 = "apps.core.failures.bad_request"
handler403 = "apps.core.failures.permission_denied"
handler404 = "apps.core.failures.not_found"
handler500 = "apps.core.failures.server_error"
