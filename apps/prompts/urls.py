"""Pages of prompts, under /p/<project>/prompts/. Addresses that begin with "-" can be no prompt's slug."""

from django.urls import path

from apps.prompts import views, views_exchange, views_labels, views_use, views_versions

app_name = "prompts"
urlpatterns = [
    path("", views.prompt_list, name="list"),
    path("-/new/", views.prompt_create, name="create"),
    path("-/move/", views.prompts_move, name="move"),
    path("-/import/", views_exchange.prompt_import, name="import"),
    path("-/export/", views_exchange.project_export_all, name="export-all"),
    path("-/protected-labels/", views_labels.protected_labels, name="protected-labels"),
    path("-/protected-labels/protect/", views_labels.label_protect, name="label-protect"),
    path("-/protected-labels/<str:label>/unprotect/", views_labels.label_unprotect, name="label-unprotect"),
    path("<slug:slug>/settings/", views.prompt_settings, name="settings"),
    path("<slug:slug>/export/", views_exchange.prompt_export, name="export"),
    path("<slug:slug>/use/", views_use.prompt_use, name="use"),
    path("<slug:slug>/duplicate/", views.prompt_duplicate, name="duplicate"),
    path("<slug:slug>/archive/", views.prompt_archive, name="archive"),
    path("<slug:slug>/restore/", views.prompt_restore, name="restore"),
    path("<slug:slug>/versions/", views_versions.version_list, name="versions"),
    path("<slug:slug>/versions/<int:number>/", views_versions.version_detail, name="version"),
    path("<slug:slug>/diff/", views_versions.version_diff, name="diff"),
    path("<slug:slug>/labels/", views_labels.labels, name="labels"),
    path("<slug:slug>/labels/set/", views_labels.label_set, name="label-set"),
    path("<slug:slug>/labels/<str:label>/remove/", views_labels.label_remove, name="label-remove"),
]
