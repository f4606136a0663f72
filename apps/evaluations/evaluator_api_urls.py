"""REST of evaluators; included by the room's `api_urls`."""

from django.urls import path

from apps.evaluations.evaluator_api import EvaluatorKindList, EvaluatorViewSet

urlpatterns = [
    path("evaluators/", EvaluatorViewSet.as_view({"get": "list", "post": "create"}), name="evaluator-list"),
    path("evaluators/kinds/", EvaluatorKindList.as_view(), name="evaluator-kinds"),
    path(
        "evaluators/<slug:slug>/",
        EvaluatorViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="evaluator-detail",
    ),
]
