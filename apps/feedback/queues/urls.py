"""Addresses of queues under /p/<project>/feedback/queues/; those of the labelling page's JSON among them."""

from django.urls import path

from apps.feedback.queues import labelling_api, views

_ANNOTATION = "annotations/<uuid:annotation_id>/"

urlpatterns = [
    path("", views.queue_list, name="queue-list"),
    path(_ANNOTATION, labelling_api.annotation_keep, name="annotation-keep"),
    path(f"{_ANNOTATION}alive/", labelling_api.annotation_alive, name="annotation-alive"),
    path(f"{_ANNOTATION}submit/", labelling_api.annotation_submit, name="annotation-submit"),
    path(f"{_ANNOTATION}skip/", labelling_api.annotation_skip, name="annotation-skip"),
    path(f"{_ANNOTATION}reopen/", labelling_api.annotation_reopen, name="annotation-reopen"),
    path(f"{_ANNOTATION}release/", labelling_api.annotation_release, name="annotation-release"),
    path("<slug:slug>/next/", labelling_api.queue_next, name="queue-next"),
    path("<slug:slug>/mine/", labelling_api.queue_mine, name="queue-mine"),
]
