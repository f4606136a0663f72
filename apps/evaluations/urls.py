"""Pages of runs, comparisons and evaluators, inside a project."""

from django.urls import include, path

from apps.evaluations import budget_views, column_run, run_exports, run_views, version_score_views

app_name = "evaluations"

_RUN = "runs/<int:number>/"

urlpatterns = [
    path("runs/", run_views.run_list_page, name="run-list"),
    path("runs/new/", run_views.run_create_page, name="run-create"),
    path("runs/score-column/", column_run.column_run_page, name="run-column"),
    path(_RUN, run_views.run_detail_page, name="run-detail"),
    path(f"{_RUN}progress/", run_views.run_progress_fragment, name="run-progress"),
    path(f"{_RUN}news/", run_views.run_news_fragment, name="run-news"),
    path(f"{_RUN}distribution/", run_views.run_distribution_fragment, name="run-distribution"),
    path(f"{_RUN}results/<uuid:item_id>/", run_views.run_result_page, name="run-result"),
    path(f"{_RUN}export.csv", run_exports.run_export, {"format": "csv"}, name="run-export-csv"),
    path(f"{_RUN}export.jsonl", run_exports.run_export, {"format": "jsonl"}, name="run-export-jsonl"),
    path(f"{_RUN}pause/", run_views.run_move, {"verb": "pause"}, name="run-pause"),
    path(f"{_RUN}resume/", run_views.run_move, {"verb": "resume"}, name="run-resume"),
    path(f"{_RUN}cancel/", run_views.run_move, {"verb": "cancel"}, name="run-cancel"),
    path(f"{_RUN}retry-failed/", run_views.run_move, {"verb": "retry-failed"}, name="run-retry-failed"),
    path(f"{_RUN}again/", run_views.run_again, name="run-again"),
    path("budget/", budget_views.budget_page, name="budget"),
    path("prompts/<slug:slug>/scores/", version_score_views.version_scores_page, name="version-scores"),
    path("comparisons/", include("apps.evaluations.comparisons.urls")),
    path("evaluators/", include("apps.evaluations.evaluator_urls")),
]
