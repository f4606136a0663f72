"""Addresses of pages."""

from django.urls import path

from apps.feedback.judging import views

urlpatterns = [
    path("of-run/<int:number>/", views.judge_badges, name="judge-badges"),
    path("<slug:slug>/", views.judge_page, name="judge"),
    path("<slug:slug>/badge/", views.judge_badge, name="judge-badge"),
]
