"""REST addresses."""

from django.urls import path

from apps.training.measuring import api

_MEASUREMENTS = "models/<slug:name>/<int:number>/measurements/"

urlpatterns = [
    path("model-policy/", api.ModelPolicyView.as_view(), name="model-policy"),
    path(_MEASUREMENTS, api.MeasurementList.as_view(), name="model-measurement-list"),
    path(
        f"{_MEASUREMENTS}<uuid:measurement_id>/",
        api.MeasurementDetail.as_view(),
        name="model-measurement-detail",
    ),
]
