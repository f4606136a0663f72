"""REST addresses."""

from django.urls import path

from apps.feedback.agreement import api
from apps.feedback.judging import api as judging_api
from apps.feedback.pairs import api as pairs_api

urlpatterns = [
    path("pair-imports/", pairs_api.PairImportListView.as_view(), name="pair-import-list"),
    path(
        "pair-imports/<uuid:import_id>/", pairs_api.PairImportDetailView.as_view(), name="pair-import-detail"
    ),
    path("annotation-queues/<str:slug>/agreement/", api.QueueAgreementView.as_view(), name="queue-agreement"),
    path(
        "evaluators/<str:slug>/against-people/",
        judging_api.JudgeAgreementView.as_view(),
        name="judge-agreement",
    ),
]
