"""REST routes under /api/v1/."""

from django.urls import path

from apps.datasets.api import DatasetDetailView, DatasetExportView, DatasetListView, DatasetVersionListView
from apps.datasets.api_examples import DraftPublishView, DraftView, ExampleDetailView, ExampleListView
from apps.datasets.api_imports import (
    DatasetImportDetailView,
    DatasetImportListView,
    DatasetImportView,
    ImportRejectionListView,
)

_IMPORT = "datasets/<slug:slug>/imports/<uuid:import_id>/"

urlpatterns = [
    path("datasets/", DatasetListView.as_view(), name="dataset-list"),
    path("datasets/<slug:slug>/", DatasetDetailView.as_view(), name="dataset-detail"),
    path("datasets/<slug:slug>/import/", DatasetImportView.as_view(), name="dataset-import"),
    path("datasets/<slug:slug>/imports/", DatasetImportListView.as_view(), name="dataset-import-list"),
    path(_IMPORT, DatasetImportDetailView.as_view(), name="dataset-import-detail"),
    path(f"{_IMPORT}rejections/", ImportRejectionListView.as_view(), name="dataset-import-rejections"),
    path("datasets/<slug:slug>/versions/", DatasetVersionListView.as_view(), name="dataset-version-list"),
    path("datasets/<slug:slug>/export/", DatasetExportView.as_view(), name="dataset-export"),
    path("datasets/<slug:slug>/examples/", ExampleListView.as_view(), name="dataset-example-list"),
    path(
        "datasets/<slug:slug>/examples/<path:key>/",
        ExampleDetailView.as_view(),
        name="dataset-example-detail",
    ),
    path("datasets/<slug:slug>/draft/", DraftView.as_view(), name="dataset-draft"),
    path("datasets/<slug:slug>/draft/publish/", DraftPublishView.as_view(), name="dataset-draft-publish"),
]
