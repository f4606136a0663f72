"""Pages of evaluators; included by the room's `urls` under `evaluators/`."""

from django.urls import path

from apps.evaluations import evaluator_trial_views as trials
from apps.evaluations import evaluator_views as views

urlpatterns = [
    path("", views.evaluator_list, name="evaluator-list"),
    path("new/", views.evaluator_create, name="evaluator-create"),
    path("dry-run/<slug:kind_name>/", trials.evaluator_dry_run, name="evaluator-dry-run"),
    path("example/<slug:kind_name>/", trials.evaluator_example, name="evaluator-example"),
    path("trial/<slug:token>/", trials.evaluator_trial, name="evaluator-trial"),
    path("<slug:slug>/", views.evaluator_detail, name="evaluator-detail"),
    path("<slug:slug>/edit/", views.evaluator_edit, name="evaluator-edit"),
    path("<slug:slug>/archive/", views.evaluator_archive, name="evaluator-archive"),
    path("<slug:slug>/restore/", views.evaluator_restore, name="evaluator-restore"),
]
