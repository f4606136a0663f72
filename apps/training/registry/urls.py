"""Addresses of pages under /p/<project>/models/."""

from django.urls import path

from apps.training.registry import views, views_acts

_ONE = "<slug:name>/<int:number>/"

urlpatterns = [
    path("", views.model_list, name="model-list"),
    path("import/", views_acts.model_import, name="model-import"),
    path("of-sets/", views.models_of_person, name="models-of-person"),
    path("work/<uuid:work_id>/", views.model_work, name="model-work"),
    path(_ONE, views.model_detail, name="model-detail"),
    path(f"{_ONE}lineage/", views.model_lineage, name="model-lineage"),
    path(f"{_ONE}card/", views.model_card, name="model-card"),
    path(f"{_ONE}card.md", views.model_card_file, name="model-card-file"),
    path(f"{_ONE}export/", views_acts.model_export, name="model-export"),
    path(f"{_ONE}merge/", views_acts.model_merge, name="model-merge"),
    path(f"{_ONE}note/", views_acts.model_note, name="model-note"),
    path(f"{_ONE}describe/", views_acts.model_describe, name="model-describe"),
    path(f"{_ONE}archive/", views_acts.model_archive, name="model-archive"),
    path(f"{_ONE}restore/", views_acts.model_restore, name="model-restore"),
    path(f"{_ONE}delete/", views_acts.model_delete, name="model-delete"),
]
