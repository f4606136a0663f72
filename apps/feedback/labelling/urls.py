"""Addresses of the page on which a queue's items are judged."""

from django.urls import path

from apps.feedback.labelling import views

urlpatterns = [
    path("<slug:slug>/label/", views.queue_label, name="queue-label"),
    path("<slug:slug>/label/who/", views.queue_label_who, name="queue-label-who"),
]
