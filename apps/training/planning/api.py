"""REST: making a job, its checks and estimates, starting it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProjectAPIView, idempotent
from apps.core.errors import InvalidInput
from apps.core.roles import Role
from apps.datasets.models import DatasetVersion
from apps.feedback.models import TrainingSet
from apps.prompts.models import PromptVersion
from apps.training.models import FineTuningJob
from apps.training.planning import services
from apps.training.planning.catalogue import CATALOGUE
from apps.training.planning.forecasts import estimates_of
from apps.training.planning.judging import problems_of
from apps.training.planning.serializers import (
    FineTuningJobCreateSerializer,
    FineTuningJobUpdateSerializer,
    FineTuningPlanSerializer,
    FineTuningSettingSerializer,
)
from apps.training.planning.setting import METHODS
from apps.training.watching.api import JobListView, job_answer
from apps.training.watching.selectors import job_get
from apps.training.watching.serializers import FineTuningJobSerializer


class JobListCreateView(JobListView):
    """`/fine-tuning-jobs/`"""

    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="fine_tuning_job_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=FineTuningJobCreateSerializer,
        responses={201: FineTuningJobSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """A draft, whose data a worker checks (GET its plan). With `start` it starts if nothing blocks it."""
        given = FineTuningJobCreateSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        asked = _plain(given.validated_data)
        start = asked.pop("start")
        job = services.job_create(project=self.project, by=self.actor, **self._looked_up(asked))
        if start:
            job = services.job_ask_start(job=job, by=self.actor)
        return job_answer(job, 201)

    def _looked_up(self, asked: dict[str, Any]) -> dict[str, Any]:
        """With rows in place of their ids. Raises InvalidInput at the one that is not there."""
        tables: dict[str, Any] = {
            "training_set": TrainingSet.objects.filter(project=self.project),
            "dataset_version": DatasetVersion.objects.filter(dataset__project=self.project),
            "prompt_version": PromptVersion.objects.filter(prompt__project=self.project),
        }
        for name, table in tables.items():
            if name in asked:
                key = "number" if name == "training_set" else "pk"
                found = table.filter(**{key: asked[name]}).first()
                if found is None:
                    text = f"There is no such {name.replace('_', ' ')} in the project."
                    raise InvalidInput(text, fields={name: [text]})
                asked[name] = found
        return asked


class JobPlanView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/plan/`"""

    roles = {"GET": Role.VIEWER, "PATCH": Role.EDITOR, "DELETE": Role.EDITOR}

    @extend_schema(operation_id="fine_tuning_plan_retrieve", responses={200: FineTuningPlanSerializer})
    def get(self, request: Request, number: int) -> Response:
        """What the checks found, and the estimates; follow `state` until it is "done"."""
        return _plan_answer(job_get(project=self.project, number=number))

    @extend_schema(
        operation_id="fine_tuning_plan_update",
        request=FineTuningJobUpdateSerializer,
        responses={200: FineTuningJobSerializer},
    )
    def patch(self, request: Request, number: int) -> Response:
        """Change a draft; what is not named stays. A preset sets all settings that are not named."""
        given = FineTuningJobUpdateSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        job = job_get(project=self.project, number=number)
        return job_answer(services.job_update(job=job, by=self.actor, **_plain(given.validated_data)))

    @extend_schema(
        operation_id="fine_tuning_plan_destroy",
        request=None,
        responses={204: OpenApiResponse(description="Thrown away.")},
    )
    def delete(self, request: Request, number: int) -> Response:
        """Throw a draft away."""
        services.job_delete(job=job_get(project=self.project, number=number), by=self.actor)
        return Response(status=204)


class JobCopyView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/copy/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="fine_tuning_job_copy",
        parameters=[IDEMPOTENCY_HEADER],
        request=None,
        responses={201: FineTuningJobSerializer},
    )
    @idempotent
    def post(self, request: Request, number: int) -> Response:
        """A new draft that asks for the same: data, base, settings, sweep, evaluation, seed."""
        job = job_get(project=self.project, number=number)
        return job_answer(services.job_copy(job=job, by=self.actor), 201)


class JobStartView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/start/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="fine_tuning_job_start",
        request=None,
        responses={202: FineTuningJobSerializer},
    )
    def post(self, request: Request, number: int) -> Response:
        """Start a draft: now, or as soon as its checks are through. What blocks it is a problem (409)."""
        job = job_get(project=self.project, number=number)
        return job_answer(services.job_ask_start(job=job, by=self.actor), 202)


class SettingListView(ProjectAPIView):
    """`/fine-tuning-settings/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_setting_list",
        parameters=[OpenApiParameter("method", str, enum=METHODS)],
        responses={
            200: inline_serializer("FineTuningSettings", {"results": FineTuningSettingSerializer(many=True)}),
        },
    )
    def get(self, request: Request) -> Response:
        """All settings of a training, with what they do and what is usual."""
        method = request.query_params.get("method", "")
        found = (setting for setting in CATALOGUE if not method or method in setting.methods)
        return Response({"results": [FineTuningSettingSerializer(setting).data for setting in found]})


def _plan_answer(job: FineTuningJob) -> Response:
    checks = job.checks
    body = {
        "state": checks.get("state", "pending"),
        "reason": checks.get("reason", ""),
        "problems": problems_of(job),
        "counts": checks.get("counts", {}),
        "lengths": checks.get("lengths", {}),
        "rows": checks.get("rows", []),
        "estimates": estimates_of(job),
    }
    return Response(FineTuningPlanSerializer(body).data)


def _plain(value: Any) -> Any:
    """What serializers give, as it is kept: JSON, with ids as text."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
