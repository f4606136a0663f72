"""Addresses of pages."""

from django.urls import path

from apps.feedback.queues import views

urlpatterns = [
    path("", views.queue_list, name="queue-list"),
]
