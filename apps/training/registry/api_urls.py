"""REST addresses."""

from django.urls import path

from apps.training.registry import api, api_works

_ONE = "models/<slug:name>/<int:number>/"

urlpatterns = [
    path("models/", api.ModelListView.as_view(), name="model-list"),
    path("models/import/", api_works.ModelImportView.as_view(), name="model-import"),
    path("models/of-sets/", api.ModelsOfSetsView.as_view(), name="model-of-sets"),
    path("model-works/<uuid:work_id>/", api_works.RegistryWorkView.as_view(), name="model-work"),
    path(_ONE, api.ModelDetailView.as_view(), name="model-detail"),
    path(f"{_ONE}archive/", api.ModelArchiveView.as_view(), name="model-archive"),
    path(f"{_ONE}restore/", api.ModelRestoreView.as_view(), name="model-restore"),
    path(f"{_ONE}card/", api.ModelCardView.as_view(), name="model-card"),
    path(f"{_ONE}lineage/", api.ModelLineageView.as_view(), name="model-lineage"),
    path(f"{_ONE}notes/", api.ModelNoteListView.as_view(), name="model-note"),
    path(f"{_ONE}export/", api.ModelExportView.as_view(), name="model-export"),
    path(f"{_ONE}merge/", api_works.ModelMergeView.as_view(), name="model-merge"),
]
