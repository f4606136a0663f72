"""REST: how far the annotators of a queue agree."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ProjectAPIView
from apps.core.roles import Role
from apps.feedback.agreement.making import queue_agreement
from apps.feedback.queues.selectors import queue_get


class AgreementFigureSerializer(serializers.Serializer[Any]):
    """A figure with its 95% interval; null where nothing can be said."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    units = serializers.IntegerField()
    raters = serializers.IntegerField()
    standard_error = serializers.FloatField(allow_null=True)


class AgreementPairSerializer(AgreementFigureSerializer):
    """Cohen's kappa of two annotators."""

    first = serializers.CharField()
    second = serializers.CharField()


class AgreementFieldSerializer(serializers.Serializer[Any]):
    """One field of the form; `shared` items were answered by several."""

    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the name that the answer has
    kind = serializers.CharField()
    level = serializers.CharField()
    raters = serializers.IntegerField()
    items = serializers.IntegerField()
    shared = serializers.IntegerField()
    percent = AgreementFigureSerializer(allow_null=True)
    pairs = AgreementPairSerializer(many=True)
    fleiss = AgreementFigureSerializer(allow_null=True)
    alpha = AgreementFigureSerializer(allow_null=True)


class QueueAgreementSerializer(serializers.Serializer[Any]):
    """`waiting`: a worker is making the figures; what is there is of an older state, or nothing yet."""

    waiting = serializers.BooleanField()
    error = serializers.CharField()
    items = serializers.IntegerField()
    annotators = serializers.IntegerField()
    annotations = serializers.IntegerField()
    fields = AgreementFieldSerializer(many=True)  # type: ignore[assignment]  # the name that the answer has


class QueueAgreementView(ProjectAPIView):
    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="queue_agreement",
        summary="How far the annotators of a queue agree",
        responses={200: QueueAgreementSerializer},
    )
    def get(self, request: Request, slug: str) -> Response:
        state = queue_agreement(queue_get(project=self.project, slug=slug))
        figures = state.figures or {"items": 0, "annotators": 0, "annotations": 0, "fields": []}
        shown = {name: figures[name] for name in ("items", "annotators", "annotations", "fields")}
        return Response({"waiting": state.waiting, "error": state.error, **shown})
