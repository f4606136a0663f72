"""REST addresses of prompts, under /api/v1/."""

from django.urls import path

from apps.prompts.api import PromptLabelViewSet, PromptRenderViewSet, PromptVersionViewSet, PromptViewSet
from apps.prompts.exchange_api import (
    ProjectExportView,
    PromptExportView,
    PromptImportView,
    PromptRequestView,
)

urlpatterns = [
    path("prompts/", PromptViewSet.as_view({"get": "list", "post": "create"}), name="prompt-list"),
    # No slug begins with a dash.
    path("prompts/-/import/", PromptImportView.as_view(), name="prompt-import"),
    path("prompts/-/export/", ProjectExportView.as_view(), name="prompt-export-all"),
    path("prompts/<slug:slug>/export/", PromptExportView.as_view(), name="prompt-export"),
    path("prompts/<slug:slug>/request/", PromptRequestView.as_view(), name="prompt-request"),
    path(
        "prompts/<slug:slug>/",
        PromptViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="prompt-detail",
    ),
    path(
        "prompts/<slug:slug>/versions/",
        PromptVersionViewSet.as_view({"get": "list", "post": "create"}),
        name="prompt-version-list",
    ),
    path(
        "prompts/<slug:slug>/versions/<str:version>/",
        PromptVersionViewSet.as_view({"get": "retrieve"}),
        name="prompt-version-detail",
    ),
    path(
        "prompts/<slug:slug>/labels/",
        PromptLabelViewSet.as_view({"get": "list", "post": "create"}),
        name="prompt-label-list",
    ),
    path(
        "prompts/<slug:slug>/labels/<str:label>/",
        PromptLabelViewSet.as_view({"delete": "destroy"}),
        name="prompt-label-detail",
    ),
    path(
        "prompts/<slug:slug>/render/", PromptRenderViewSet.as_view({"post": "create"}), name="prompt-render"
    ),
]
