"""Addresses of pages under /p/<project>/feedback/erase/."""

from django.urls import path

from apps.feedback.erasing import views

urlpatterns = [
    path("", views.feedback_erase, name="feedback-erase"),
]
