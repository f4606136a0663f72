"""REST: judges against people."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ProjectAPIView
from apps.core.roles import Role
from apps.evaluations.evaluator_selectors import evaluator_get
from apps.feedback.judging.checking import Check, checks_of
from apps.feedback.judging.views import LONGEST_METRIC, MOST_VERSIONS


class JudgeFigureSerializer(serializers.Serializer[Any]):
    """`name` is κ, weighted κ or α; null where nothing can be said."""

    name = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()


class JudgeCorrectedSerializer(serializers.Serializer[Any]):
    """People's mean over the whole run by PPI++; `weight` is its λ."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    weight = serializers.FloatField()
    n = serializers.IntegerField()
    others = serializers.IntegerField()


class JudgeRunSerializer(serializers.Serializer[Any]):
    """`corrected` is null below 30 examples that people rated."""

    number = serializers.IntegerField()
    name = serializers.CharField()
    mean = serializers.FloatField(source="raw.mean", allow_null=True)
    rated = serializers.IntegerField(source="people.n")
    people_mean = serializers.FloatField(source="people.mean")
    corrected = JudgeCorrectedSerializer(allow_null=True)


class JudgeAgreementSerializer(serializers.Serializer[Any]):
    """One metric of one evaluator version; `rated` is false where people have rated nothing it scored."""

    version = serializers.IntegerField()
    metric = serializers.CharField()
    rated = serializers.BooleanField()
    waiting = serializers.BooleanField()
    error = serializers.CharField()
    against = serializers.ListField(child=serializers.CharField())
    agreement = JudgeFigureSerializer(allow_null=True)
    labels = serializers.ListField(child=serializers.CharField())
    confusion = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))
    runs = JudgeRunSerializer(many=True)


class JudgeAnswerSerializer(serializers.Serializer[Any]):
    results = JudgeAgreementSerializer(many=True)


class JudgeAgreementView(ProjectAPIView):
    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="evaluator_against_people",
        summary="How far an evaluator says what people say, by version and metric",
        parameters=[
            OpenApiParameter("against", str, description="The metric of people's ratings to hold it against.")
        ],
        responses={200: JudgeAnswerSerializer},
    )
    def get(self, request: Request, slug: str) -> Response:
        evaluator = evaluator_get(project=self.project, slug=slug)
        asked = request.query_params.get("against", "").replace("\x00", "")[:LONGEST_METRIC]
        versions = evaluator.versions.select_related("evaluator").order_by("-number")[:MOST_VERSIONS]
        found = [_told(check) for check in checks_of(self.project, versions, asked=asked)]
        return Response(JudgeAnswerSerializer({"results": found}).data)


def _told(check: Check) -> dict[str, Any]:
    figures = check.state.figures or {}
    confusion = figures.get("confusion") or {}
    return {
        "version": check.version.number,
        "metric": check.spec.name,
        "rated": check.rated,
        "waiting": check.state.waiting,
        "error": check.state.error,
        "against": list(check.match.labels),
        "agreement": figures.get("headline"),
        "labels": confusion.get("labels", []),
        "confusion": confusion.get("counts", []),
        "runs": figures.get("runs", []),
    }
