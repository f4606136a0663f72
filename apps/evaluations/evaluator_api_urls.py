"""REST of evaluators; included by the room's `api_urls`."""

from django.urls import path

from apps.evaluations.evaluator_api import EvaluatorKindList, EvaluatorViewSet
from apps.evaluations.evaluator_trial_api import EvaluatorTrialDetail, EvaluatorTrialStart

urlpatterns = [
    path("evaluators/", EvaluatorViewSet.as_view({"get": "list", "post": "create"}), name="evaluator-list"),
    path("evaluators/kinds/", EvaluatorKindList.as_view(), name="evaluator-kinds"),
    path("evaluators/trial/", EvaluatorTrialStart.as_view(), name="evaluator-trial-start"),
    path("evaluators/trial/<slug:token>/", EvaluatorTrialDetail.as_view(), name="evaluator-trial"),
    path(
        "evaluators/<slug:slug>/",
        EvaluatorViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="evaluator-detail",
    ),
]
