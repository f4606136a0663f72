"""REST of evaluators, runs and comparisons."""

from django.urls import include, path

from apps.evaluations import budget_api, run_api
from apps.evaluations.blind import api as blind_api
from apps.evaluations.comparisons import api as comparison_api
from apps.evaluations.comparisons import decision_api
from apps.evaluations.comparisons import row_api as comparison_row_api

RUN = "eval-runs/<uuid:run_id>/"

urlpatterns = [
    path("eval-runs/", run_api.RunList.as_view(), name="eval-run-list"),
    path("eval-runs/estimate/", budget_api.RunEstimateView.as_view(), name="eval-run-estimate"),
    path("budget/", budget_api.ProjectBudgetView.as_view(), name="budget"),
    path(RUN, run_api.RunDetail.as_view(), name="eval-run-detail"),
    path(f"{RUN}results/", run_api.RunResults.as_view(), name="eval-run-results"),
    path(f"{RUN}pause/", run_api.RunPause.as_view(), name="eval-run-pause"),
    path(f"{RUN}cancel/", run_api.RunCancel.as_view(), name="eval-run-cancel"),
    path(f"{RUN}resume/", run_api.RunResume.as_view(), name="eval-run-resume"),
    path(f"{RUN}retry-failed/", run_api.RunRetryFailed.as_view(), name="eval-run-retry-failed"),
    path(f"{RUN}again/", run_api.RunAgain.as_view(), name="eval-run-again"),
    path(f"{RUN}finish/", run_api.RunFinish.as_view(), name="eval-run-finish"),
    path("comparisons/", comparison_api.ComparisonList.as_view(), name="comparison-list"),
    path(
        "comparisons/<uuid:comparison_id>/",
        comparison_api.ComparisonDetail.as_view(),
        name="comparison-detail",
    ),
    path(
        "comparisons/<uuid:comparison_id>/slices/",
        comparison_api.ComparisonSlices.as_view(),
        name="comparison-slices",
    ),
    path(
        "comparisons/<uuid:comparison_id>/preferences/",
        comparison_api.ComparisonPreferences.as_view(),
        name="comparison-preferences",
    ),
    path(
        "comparisons/<uuid:comparison_id>/rows/",
        comparison_row_api.ComparisonRows.as_view(),
        name="comparison-rows",
    ),
    path(
        "comparisons/<uuid:comparison_id>/votes/",
        blind_api.ComparisonVotes.as_view(),
        name="comparison-votes",
    ),
    path(
        "comparisons/<uuid:comparison_id>/decide/",
        decision_api.ComparisonDecide.as_view(),
        name="comparison-decide",
    ),
    path("", include("apps.evaluations.evaluator_api_urls")),
]
