"""Addresses of pages."""

from django.urls import path

from apps.training.measuring import views

_ONE = "<slug:name>/<int:number>"

urlpatterns = [
    path("policy/", views.policy, name="policy"),
    path(f"{_ONE}/measurements/", views.model_measurements, name="model-measurements"),
    path(f"{_ONE}/measurements/new/", views.model_measure, name="model-measure"),
    path(
        f"{_ONE}/measurements/<uuid:measurement_id>/judge/", views.model_judge_again, name="model-judge-again"
    ),
]
