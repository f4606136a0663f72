"""Addresses of pages."""

from django.urls import path

from apps.training.measuring import views

urlpatterns = [
    path("policy/", views.policy, name="policy"),
]
