"""Addresses of pages."""

from django.urls import path

from apps.training.planning import views

urlpatterns = [
    path("new/", views.job_new, name="job-new"),
]
