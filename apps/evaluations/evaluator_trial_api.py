"""REST for trying settings on one output, before they are saved."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import ProblemSerializer, ProjectAPIView
from apps.core.roles import Role
from apps.evaluations.evaluator_errors import TrialNotFound
from apps.evaluations.evaluator_serializers import TrialResultSerializer, TrialSerializer
from apps.evaluations.evaluator_trial import PendingTrial, Trial, trial_get, trial_start
from apps.evaluations.evaluators import ScoringInput

_BAD = OpenApiResponse(ProblemSerializer, "The input is not valid; `errors` names each bad field.")
_REFUSED = OpenApiResponse(ProblemSerializer, "The key's role is too low.")
_LOST = OpenApiResponse(ProblemSerializer, "There is no such trial, or no worker gave an answer in time.")


class EvaluatorTrialStart(ProjectAPIView):
    roles: ClassVar = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="evaluators_try",
        request=TrialSerializer,
        responses={200: TrialResultSerializer, 202: TrialResultSerializer, 400: _BAD, 403: _REFUSED},
    )
    def post(self, request: Request) -> Response:
        """Score one output; nothing is saved. 202: a worker does it, ask again under the token."""
        wanted = TrialSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        item = dict(wanted.validated_data)
        kind, config = item.pop("kind"), item.pop("config", {})
        trial = trial_start(
            project=self.project,
            kind=kind,
            config=config,
            item=ScoringInput(**{"inputs": {}, **item}),
        )
        return _answer(trial)


class EvaluatorTrialDetail(ProjectAPIView):
    roles: ClassVar = {"GET": Role.EDITOR}

    @extend_schema(
        operation_id="evaluators_trial",
        parameters=[OpenApiParameter("token", str, OpenApiParameter.PATH, description="Of the trial.")],
        responses={200: TrialResultSerializer, 202: TrialResultSerializer, 404: _LOST},
    )
    def get(self, request: Request, token: str) -> Response:
        """A trial that a worker scores, as far as it is."""
        trial = trial_get(project=self.project, token=token)
        if isinstance(trial, PendingTrial) and trial.lost:
            raise TrialNotFound(
                "There is no such trial, or no worker gave an answer in time. Start it again."
            )
        return _answer(trial)


def _answer(trial: Trial | PendingTrial) -> Response:
    if isinstance(trial, PendingTrial):
        waiting: dict[str, Any] = {"done": False, "token": trial.token, "values": {}}
        return Response({**waiting, "category": "", "detail": "", "reason": ""}, status=202)
    told = {"category": trial.label, "detail": trial.detail, "reason": trial.reason}
    return Response({"done": True, "token": None, "values": dict(trial.values), **told})
