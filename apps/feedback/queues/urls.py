"""Addresses of queues under /p/<project>/feedback/queues/; those of the labelling page's JSON among them."""

from django.urls import path

from apps.feedback.queues import labelling_api, views, views_adding, views_editing

_ANNOTATION = "annotations/<uuid:annotation_id>/"

urlpatterns = [
    path("", views.queue_list_page, name="queue-list"),
    path("new/", views_editing.queue_new, name="queue-create"),
    path("add/", views_adding.queue_add, name="queue-add"),
    path(_ANNOTATION, labelling_api.annotation_keep, name="annotation-keep"),
    path(f"{_ANNOTATION}alive/", labelling_api.annotation_alive, name="annotation-alive"),
    path(f"{_ANNOTATION}submit/", labelling_api.annotation_submit, name="annotation-submit"),
    path(f"{_ANNOTATION}skip/", labelling_api.annotation_skip, name="annotation-skip"),
    path(f"{_ANNOTATION}reopen/", labelling_api.annotation_reopen, name="annotation-reopen"),
    path(f"{_ANNOTATION}release/", labelling_api.annotation_release, name="annotation-release"),
    path("<slug:slug>/", views.queue_detail, name="queue-detail"),
    path("<slug:slug>/progress/", views.queue_progress_fragment, name="queue-progress"),
    path("<slug:slug>/edit/", views_editing.queue_edit, name="queue-edit"),
    path("<slug:slug>/archive/", views_editing.queue_archive_view, name="queue-archive"),
    path("<slug:slug>/adjudicate/", views_editing.queue_adjudicate, name="queue-adjudicate"),
    path("<slug:slug>/items/<uuid:item_id>/", views.queue_item, name="queue-item"),
    path("<slug:slug>/items/<uuid:item_id>/gold/", views.item_gold, name="queue-item-gold"),
    path("<slug:slug>/next/", labelling_api.queue_next, name="queue-next"),
    path("<slug:slug>/mine/", labelling_api.queue_mine, name="queue-mine"),
]
