"""Addresses of pages."""

from django.urls import path

from apps.feedback.training_sets import views

urlpatterns = [
    path("", views.training_list, name="training-list"),
]
