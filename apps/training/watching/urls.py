"""Addresses of pages."""

from django.urls import path

from apps.training.watching import views

urlpatterns = [
    path("", views.job_list, name="job-list"),
]
