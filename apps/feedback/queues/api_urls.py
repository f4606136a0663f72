"""REST addresses of queues."""

from django.urls import path

from apps.feedback.queues.api import AnnotationQueueViewSet, QueueAnnotationViewSet, QueueItemViewSet

_QUEUE = "annotation-queues/<slug:slug>/"

urlpatterns = [
    path(
        "annotation-queues/",
        AnnotationQueueViewSet.as_view({"get": "list", "post": "create"}),
        name="queue-list",
    ),
    path(
        _QUEUE,
        AnnotationQueueViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="queue-detail",
    ),
    path(f"{_QUEUE}items/", QueueItemViewSet.as_view({"get": "list", "post": "create"}), name="queue-items"),
    path(
        f"{_QUEUE}annotations/",
        QueueAnnotationViewSet.as_view({"get": "list", "post": "create"}),
        name="queue-annotations",
    ),
]
