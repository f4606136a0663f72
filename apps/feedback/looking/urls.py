"""Addresses of pages."""

from django.urls import path

from apps.feedback.looking import views, views_acts, views_one

urlpatterns = [
    path("", views.overview, name="overview"),
    path("votes/", views.feedback_list, name="feedback-list"),
    path("votes/decide/", views_acts.decide, name="feedback-decide"),
    path("votes/collect/", views_acts.collect, name="feedback-collect"),
    path("votes/queue/", views_acts.to_queue, name="feedback-to-queue"),
    path("votes/<uuid:feedback_id>/", views_one.detail, name="feedback-detail"),
    path("votes/<uuid:feedback_id>/similar/", views_one.similar, name="feedback-similar"),
    path("votes/<uuid:feedback_id>/regressions/", views_acts.regressions, name="feedback-regressions"),
    path("spans/<uuid:span_id>/", views_one.of_span, name="feedback-of-span"),
]
