"""Addresses of pages."""

from django.urls import path

from apps.feedback.thumbs import views

urlpatterns = [
    path("", views.feedback_settings_page, name="settings"),
]
