"""Addresses of pages."""

from django.urls import path

from apps.training.registry import views

urlpatterns = [
    path("", views.model_list, name="model-list"),
]
