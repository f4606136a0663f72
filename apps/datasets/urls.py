"""The pages of datasets, under /p/<project>/datasets/."""

from django.urls import path

from apps.datasets import views, views_draft, views_examples, views_imports

app_name = "datasets"
_IMPORT = "<slug:slug>/imports/<uuid:import_id>/"

urlpatterns = [
    path("", views.datasets, name="list"),
    path("new/", views.dataset_new, name="new"),
    path("<slug:slug>/", views_examples.examples, name="detail"),
    path("<slug:slug>/settings/", views.settings, name="settings"),
    path("<slug:slug>/archive/", views.archive, name="archive"),
    path("<slug:slug>/versions/", views.versions, name="versions"),
    path("<slug:slug>/diff/", views.diff, name="diff"),
    path("<slug:slug>/export/", views.export, name="export"),
    path("<slug:slug>/examples/<uuid:example_id>/", views_examples.example, name="example"),
    path("<slug:slug>/example/new/", views_examples.example_new, name="example-new"),
    path("<slug:slug>/example/edit/", views_examples.example_edit, name="example-edit"),
    path("<slug:slug>/example/delete/", views_examples.example_delete, name="example-delete"),
    path("<slug:slug>/draft/", views_draft.draft, name="draft"),
    path("<slug:slug>/draft/publish/", views_draft.draft_publish, name="draft-publish"),
    path("<slug:slug>/draft/discard/", views_draft.draft_discard, name="draft-discard"),
    path("<slug:slug>/draft/keep/", views_draft.draft_keep, name="draft-keep"),
    path("<slug:slug>/import/", views_imports.upload, name="import"),
    path("<slug:slug>/imports/", views_imports.imports, name="imports"),
    path(_IMPORT, views_imports.import_detail, name="import-detail"),
    path(f"{_IMPORT}mapping/", views_imports.import_mapping, name="import-mapping"),
    path(f"{_IMPORT}cancel/", views_imports.import_cancel, name="import-cancel"),
    path(f"{_IMPORT}rejected/", views_imports.rejections, name="import-rejections"),
    path(f"{_IMPORT}rejected.csv", views_imports.rejections_file, name="import-rejections-file"),
]
