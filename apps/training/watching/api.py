"""REST: jobs, and what is seen of them: points, log, samples, checkpoints, tries of a sweep."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import KeysetPagination, ProjectAPIView
from apps.core.api_pages import PAGING, paged, paged_answer
from apps.core.roles import Role
from apps.training.models import FineTuningJob
from apps.training.registry.serializers import RegistryWorkSerializer
from apps.training.running.registering import job_register_checkpoint
from apps.training.running.services import job_retry, job_stop
from apps.training.watching.selectors import (
    checkpoint_get,
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
            *PAGING,
        ],
        responses={200: paged("FineTuningJob", FineTuningJobSerializer)},
    )
    def get(self, request: Request) -> Response:
        """The project's fine-tuning jobs, newest first."""
        asked = {name: request.query_params.get(name, "") for name in ("status", "method", "q")}
        rows = job_list(project=self.project, **asked).select_related("training_set")
        return paged_answer(self, rows, FineTuningJobSerializer)


class JobDetailView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(operation_id="fine_tuning_job_retrieve", responses={200: FineTuningJobSerializer})
    def get(self, request: Request, number: int) -> Response:
        """A job: what it is to do, how far it has come, and what its result can be reproduced with."""
        return Response(FineTuningJobSerializer(job_get(project=self.project, number=number)).data)


class JobStopView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/stop/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="fine_tuning_job_stop",
        request=FineTuningStopSerializer,
        responses={200: FineTuningJobSerializer},
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
        responses={200: FineTuningJobSerializer},
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
            *PAGING,
        ],
        responses={200: paged("MetricPoint", MetricPointSerializer)},
    )
    def get(self, request: Request, number: int) -> Response:
        """The figures of each logged step, in order."""
        job = job_get(project=self.project, number=number)
        trial = serializers.IntegerField(min_value=0, max_value=2**31 - 1).run_validation(
            request.query_params.get("trial") or 0
        )
        return paged_answer(self, points_of(job, trial=trial), MetricPointSerializer, PointPages())


class JobLogView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/log/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_log",
        parameters=PAGING,
        responses={200: paged("LogLine", LogLineSerializer)},
    )
    def get(self, request: Request, number: int) -> Response:
        """What the training wrote, newest line first."""
        job = job_get(project=self.project, number=number)
        return paged_answer(self, log_of(job), LogLineSerializer)


class JobSamplesView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/samples/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_samples",
        parameters=PAGING,
        responses={200: paged("SampleOutput", SampleOutputSerializer)},
    )
    def get(self, request: Request, number: int) -> Response:
        """What the model in training answered to the fixed prompts, at each checkpoint."""
        job = job_get(project=self.project, number=number)
        return paged_answer(self, samples_of(job), SampleOutputSerializer, _Pages())


class JobCheckpointsView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/checkpoints/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_checkpoints",
        parameters=PAGING,
        responses={200: paged("Checkpoint", CheckpointSerializer)},
    )
    def get(self, request: Request, number: int) -> Response:
        """What was saved on the way, in order; the files of some are removed to save room."""
        job = job_get(project=self.project, number=number)
        return paged_answer(self, checkpoints_of(job), CheckpointSerializer, _Pages())


class JobCheckpointRegisterView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/checkpoints/{checkpoint_id}/register/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="fine_tuning_checkpoint_register",
        request=None,
        responses={202: RegistryWorkSerializer},
    )
    def post(self, request: Request, number: int, checkpoint_id: UUID) -> Response:
        """Make a version of a checkpoint of a job that is over; follow the work in `model-works/`."""
        job = job_get(project=self.project, number=number)
        checkpoint = checkpoint_get(job, checkpoint_id)
        work = job_register_checkpoint(job=job, checkpoint=checkpoint, by=self.actor)
        return Response(RegistryWorkSerializer(work).data, status=202)


class JobTrialsView(ProjectAPIView):
    """`/fine-tuning-jobs/{number}/trials/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(
        operation_id="fine_tuning_job_trials",
        parameters=PAGING,
        responses={200: paged("FineTuningTrial", FineTuningTrialSerializer)},
    )
    def get(self, request: Request, number: int) -> Response:
        """The tries of its sweep, in order."""
        job = job_get(project=self.project, number=number)
        return paged_answer(self, trials_of(job), FineTuningTrialSerializer, _Pages())
