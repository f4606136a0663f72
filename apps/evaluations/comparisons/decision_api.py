"""REST: deciding by a comparison."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ProjectAPIView, SafeCharField
from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.evaluations.comparisons.decision_services import Decision, comparison_decide
from apps.evaluations.comparisons.selectors import comparison_get, runs_of
from apps.evaluations.comparisons.state import comparison_state


class DecisionCreateSerializer(serializers.Serializer[Any]):
    """Whose prompt version the label is to point to."""

    run = serializers.UUIDField(help_text="One of the comparison's runs.")
    label = SafeCharField(  # type: ignore[assignment]  # a field of that name
        max_length=60, required=False, default="production"
    )
    reason = SafeCharField(
        max_length=500,
        required=False,
        default="",
        allow_blank=True,
        help_text="Needed when the figures do not support the choice (code `reason_needed`).",
    )


class DecisionSerializer(serializers.Serializer[Any]):
    """What was decided. `doubts` say why the figures do not support it; empty where `supported`."""

    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    prompt = serializers.CharField()
    version = serializers.IntegerField()
    previous_version = serializers.IntegerField(allow_null=True)
    supported = serializers.BooleanField()
    sentence = serializers.CharField()
    doubts = serializers.ListField(child=serializers.CharField())


class ComparisonDecide(ProjectAPIView):
    """`/comparisons/{id}/decide/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="comparison_decide",
        request=DecisionCreateSerializer,
        responses={201: DecisionSerializer},
    )
    def post(self, request: Request, comparison_id: UUID) -> Response:
        """Point a label to a run's prompt version, with the comparison as evidence in the audit log.

        A candidate is measured against the baseline, the baseline against the first candidate. A protected
        label needs a key of an approver.
        """
        comparison = comparison_get(project=self.project, id=comparison_id)
        serializer = DecisionCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        run = next((run for run in runs_of(comparison) if run.pk == asked["run"]), None)
        if run is None:
            text = "This run is not part of the comparison."
            raise InvalidInput(text, fields={"run": [text]})
        state = comparison_state(comparison, {"candidate": str(run.number)})
        decision = comparison_decide(
            state=state, by=self.actor, run=run, label=asked["label"], reason=asked["reason"]
        )
        return Response(decision_json(decision), status=201)


def decision_json(decision: Decision) -> dict[str, Any]:
    evidence = decision.evidence
    return {
        "label": decision.label.name,
        "prompt": decision.version.prompt.slug,
        "version": decision.version.number,
        "previous_version": decision.before.number if decision.before else None,
        "supported": evidence.supports,
        "sentence": evidence.sentence,
        "doubts": list(evidence.doubts),
    }
