"""Addresses of pages."""

from django.urls import path

from apps.feedback.looking import views

urlpatterns = [
    path("", views.overview, name="overview"),
]
