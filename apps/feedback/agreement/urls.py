"""Addresses of pages."""

from django.urls import path

from apps.feedback.agreement import views

urlpatterns = [
    path("<slug:slug>/agreement/", views.queue_agreement_page, name="queue-agreement"),
    path("<slug:slug>/annotators/", views.queue_raters_page, name="queue-raters"),
    path("<slug:slug>/ranking/", views.queue_ranking_page, name="queue-ranking"),
]
