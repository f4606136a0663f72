"""REST addresses of spans, under /api/v1/."""

from django.urls import path

from apps.traces.api import SpanView, SpanViewSet

urlpatterns = [
    path("spans/", SpanViewSet.as_view({"get": "list", "post": "create"}), name="span-list"),
    path("spans/<uuid:span_id>/", SpanView.as_view(), name="span-detail"),
]
