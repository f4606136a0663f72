"""REST addresses of the workbench, under /api/v1/."""

from django.urls import path

from apps.workbench.call_api import CallStopView, CallView, PromptCallViewSet

urlpatterns = [
    path(
        "prompts/<slug:slug>/calls/",
        PromptCallViewSet.as_view({"get": "list", "post": "create"}),
        name="prompt-call-list",
    ),
    path("calls/<uuid:call_id>/", CallView.as_view(), name="call-detail"),
    path("calls/<uuid:call_id>/stop/", CallStopView.as_view(), name="call-stop"),
]
