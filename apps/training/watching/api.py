"""REST: jobs, and what is seen of them: points, log, samples, checkpoints, tries of a sweep."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import KeysetPagination, ProblemSerializer, ProjectAPIView
from apps.core.roles import Role
from apps.training.models import FineTuningJob
from apps.training.running.services import job_retry, job_stop
from apps.training.watching.selectors import (
    checkpoints_of,
    job_get,
    job_list,
    log_of,
    points_of,
    samples_of,
    trials_of,
)
from apps.training.watching.serializers import (
    CheckpointSerializer,
    FineTuningJobSerializer,
    FineTuningStopSerializer,
    FineTuningTrialSerializer,
    LogLineSerializer,
    MetricPointSerializer,
    SampleOutputSerializer,
)

PROBLEM = OpenApiResponse(ProblemSerializer, description="Problem details (RFC 9457).")
PROBLEMS: dict[int, Any] = {400: PROBLEM, 401: PROBLEM, 403: PROBLEM, 404: PROBLEM}
PAGES = [
    OpenApiParameter("cursor", str, description="Where to go on; take it from `next`."),
    OpenApiParameter("limit", int, description="Rows a page, at most 200."),
]


def paged(name: str, serializer: type[serializers.BaseSerializer[Any]]) -> OpenApiResponse:
    fields: dict[str, Any] = {
        "next": serializers.CharField(allow_null=True),
        "previous": serializers.CharField(allow_null=True),
        "results": serializer(many=True),
    }
    return OpenApiResponse(inline_serializer(f"{name}Page", fields))


def job_answer(job: FineTuningJob, status: int = 200) -> Response:
    """The job as it is now."""
    found = job_get(project=job.project, number=job.number)
    return Response(FineTuningJobSerializer(found).data, status=status)


class JobListView(ProjectAPIView):
    """`/fine-tuning-jobs/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_list",
        parameters=[
            OpenApiParameter("status", str, description="A status, or `work` for any at work."),
            OpenApiParameter("method", str, enum=FineTuningJob.Method.values),
            OpenApiParameter("q", str, description="Part of the name."),
            *PAGES,
        ],
        responses={200: paged("FineTuningJob", FineTuningJobSerializer), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        """The project's fine-tuning jobs, newest first."""
        asked = {name: request.query_params.get(name, "") for name in ("status", "method", "q")}
        rows = job_list(project=self.project, **asked).select_related("training_set")
        pages = KeysetPagination()
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(FineTuningJobSerializer(page, many=True).data)


class JobDetailView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_retrieve", responses={200: FineTuningJobSerializer, **PROBLEMS}
    )
    def get(self, request: Request, number: int) -> Response:
        """A job: what it is to do, how far it has come, and what its result can be reproduced with."""
        return Response(FineTuningJobSerializer(job_get(project=self.project, number=number)).data)


class JobStopView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/stop/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="fine_tuning_job_stop",
        request=FineTuningStopSerializer,
        responses={200: FineTuningJobSerializer, 409: PROBLEM, **PROBLEMS},
    )
    def post(self, request: Request, number: int) -> Response:
        """Stop a job. It keeps and registers what it has, unless `keep` is false."""
        given = FineTuningStopSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        job = job_get(project=self.project, number=number)
        return job_answer(job_stop(job=job, by=self.actor, keep=given.validated_data["keep"]))


class JobRetryView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/retry/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="fine_tuning_job_retry",
        request=None,
        responses={200: FineTuningJobSerializer, 409: PROBLEM, **PROBLEMS},
    )
    def post(self, request: Request, number: int) -> Response:
        """Let a job that failed or was cancelled go on from its last checkpoint."""
        return job_answer(job_retry(job=job_get(project=self.project, number=number), by=self.actor))


class _Pages(KeysetPagination):
    ordering = "id"


class PointPages(KeysetPagination):
    ordering = "step"


class JobPointsView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/points/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_points",
        parameters=[
            OpenApiParameter("trial", int, description="A try of its sweep; 0, the training itself."),
            *PAGES,
        ],
        responses={200: paged("MetricPoint", MetricPointSerializer), **PROBLEMS},
    )
    def get(self, request: Request, number: int) -> Response:
        """The figures of each logged step, in order."""
        job = job_get(project=self.project, number=number)
        trial = serializers.IntegerField(min_value=0, max_value=2**31 - 1).run_validation(
            request.query_params.get("trial") or 0
        )
        pages = PointPages()
        page = pages.paginate_queryset(points_of(job, trial=trial), request, view=self)
        return pages.get_paginated_response(MetricPointSerializer(page, many=True).data)


class JobLogView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/log/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_log",
        parameters=PAGES,
        responses={200: paged("LogLine", LogLineSerializer), **PROBLEMS},
    )
    def get(self, request: Request, number: int) -> Response:
        """What the training wrote, newest line first."""
        job = job_get(project=self.project, number=number)
        pages = KeysetPagination()
        page = pages.paginate_queryset(log_of(job), request, view=self)
        return pages.get_paginated_response(LogLineSerializer(page, many=True).data)


class JobSamplesView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/samples/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_samples",
        parameters=PAGES,
        responses={200: paged("SampleOutput", SampleOutputSerializer), **PROBLEMS},
    )
    def get(self, request: Request, number: int) -> Response:
        """What the model in training answered to the fixed prompts, at each checkpoint."""
        job = job_get(project=self.project, number=number)
        pages = _Pages()
        page = pages.paginate_queryset(samples_of(job), request, view=self)
        return pages.get_paginated_response(SampleOutputSerializer(page, many=True).data)


class JobCheckpointsView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/checkpoints/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_checkpoints",
        parameters=PAGES,
        responses={200: paged("Checkpoint", CheckpointSerializer), **PROBLEMS},
    )
    def get(self, request: Request, number: int) -> Response:
        """What was saved on the way, in order; the files of some are removed to save room."""
        job = job_get(project=self.project, number=number)
        pages = _Pages()
        page = pages.paginate_queryset(checkpoints_of(job), request, view=self)
        return pages.get_paginated_response(CheckpointSerializer(page, many=True).data)


class JobTrialsView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/trials/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_trials",
        parameters=PAGES,
        responses={200: paged("FineTuningTrial", FineTuningTrialSerializer), **PROBLEMS},
    )
    def get(self, request: Request, number: int) -> Response:
        """The tries of its sweep, in order."""
        job = job_get(project=self.project, number=number)
        pages = _Pages()
        page = pages.paginate_queryset(trials_of(job), request, view=self)
        return pages.get_paginated_response(FineTuningTrialSerializer(page, many=True).data)
