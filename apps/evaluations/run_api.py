"""REST for runs: create, read, follow, steer, and post results made elsewhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, KeysetPagination, ProjectAPIView, idempotent
from apps.core.api_pages import PAGING
from apps.core.roles import Role
from apps.evaluations.models import EvalRun, ItemScore
from apps.evaluations.recorded import RecordedResult, recorded_results_store, recorded_run_finish
from apps.evaluations.run_answers import result_json, runs_json
from apps.evaluations.run_moves import eval_run_cancel, eval_run_pause, eval_run_resume, eval_run_retry_failed
from apps.evaluations.run_requests import run_request
from apps.evaluations.run_serializers import (
    STATUSES,
    RecordedAnswerSerializer,
    RecordedResultSerializer,
    ResultSerializer,
    ResumeSerializer,
    RunCreateSerializer,
    RunSerializer,
)
from apps.evaluations.run_services import eval_run_again, eval_run_create
from apps.evaluations.selectors import run_get


def _one(run: EvalRun) -> dict[str, Any]:
    return runs_json([run])[0]


class RunList(ProjectAPIView):
    """`/eval-runs/`"""

    pagination_class = KeysetPagination
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="eval_runs_list",
        parameters=[*PAGING, OpenApiParameter("status", str, enum=STATUSES)],
        responses={200: RunSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        """The project's runs, newest first."""
        runs = EvalRun.objects.filter(project=self.project).select_related(
            "dataset_version__dataset", "prompt_version__prompt"
        )
        if request.query_params.get("status") in STATUSES:
            runs = runs.filter(status=request.query_params["status"])
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(runs, request, view=self)
        return paginator.get_paginated_response(runs_json(page))

    @extend_schema(
        operation_id="eval_runs_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=RunCreateSerializer,
        responses={201: RunSerializer},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Freeze a plan and start the run (a recorded one waits for its results)."""
        serializer = RunCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = run_request(project=self.project, **serializer.validated_data)
        run = eval_run_create(project=self.project, by=self.actor, request=asked)
        return Response(_one(run), status=201)


class RunDetail(ProjectAPIView):
    """`/eval-runs/{id}/`"""

    roles = {"GET": Role.VIEWER}

    @extend_schema(operation_id="eval_runs_retrieve", responses={200: RunSerializer})
    def get(self, request: Request, run_id: UUID) -> Response:
        """One run, with its counts, usage and, once it has ended, its metrics."""
        return Response(_one(run_get(project=self.project, id=run_id)))


class ResultsPagination(KeysetPagination):
    ordering = ("position", "repetition")  # type: ignore[assignment]  # the stubs forget tuples


class RunResults(ProjectAPIView):
    """`/eval-runs/{id}/results/`"""

    pagination_class = ResultsPagination
    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    @extend_schema(
        operation_id="eval_run_results_list",
        parameters=PAGING,
        responses={200: ResultSerializer(many=True)},
    )
    def get(self, request: Request, run_id: UUID) -> Response:
        """The run's results in the dataset's order."""
        run = run_get(project=self.project, id=run_id)
        items = run.items.select_related("example").prefetch_related(
            Prefetch("scores", ItemScore.objects.order_by("id"))
        )
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(items, request, view=self)
        return paginator.get_paginated_response([result_json(item) for item in page])

    @extend_schema(
        operation_id="eval_run_results_record",
        request=RecordedResultSerializer(many=True),
        responses={200: RecordedAnswerSerializer},
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Post results made elsewhere, up to 1,000 at once; a result posted again replaces the first."""
        run = run_get(project=self.project, id=run_id)
        serializer = RecordedResultSerializer(
            data=request.data,
            many=True,
            max_length=1000,  # type: ignore[call-arg]  # an argument of the list
            allow_empty=False,
        )
        serializer.is_valid(raise_exception=True)
        results = [
            RecordedResult(**{**row, "output": row["output"] or ""}) for row in serializer.validated_data
        ]
        stored = recorded_results_store(run=run, by=self.actor, results=results)
        return Response({"stored": stored})


class RunAction(ProjectAPIView):
    """One thing to do to a run; the answer is the run as it is then."""

    roles = {"POST": Role.EDITOR}

    def act(self, run: EvalRun) -> EvalRun:
        raise NotImplementedError

    def answer(self, run_id: UUID) -> Response:
        return Response(_one(self.act(run_get(project=self.project, id=run_id))))


def _action(operation: str, text: str, act: Any) -> type[RunAction]:
    """A view for one verb: they differ in nothing else."""

    class Action(RunAction):
        def act(self, run: EvalRun) -> EvalRun:
            moved: EvalRun = act(run=run, by=self.actor)
            return moved

        @extend_schema(
            operation_id=operation,
            description=text,
            request=None,
            responses={200: RunSerializer},
        )
        def post(self, request: Request, run_id: UUID) -> Response:
            return self.answer(run_id)

    Action.__name__ = operation
    return Action


RunPause = _action("eval_runs_pause", "Stop for now; nothing is lost.", eval_run_pause)
RunCancel = _action("eval_runs_cancel", "End the run now; what was answered stays.", eval_run_cancel)


class RunResume(ProjectAPIView):
    """`/eval-runs/{id}/resume/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="eval_runs_resume",
        request=ResumeSerializer,
        responses={200: RunSerializer},
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Go on with a paused or cancelled run, if need be with a new budget."""
        run = run_get(project=self.project, id=run_id)
        serializer = ResumeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(_one(eval_run_resume(run=run, by=self.actor, **serializer.validated_data)))


class RunAgain(ProjectAPIView):
    """`/eval-runs/{id}/again/`"""

    roles = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="eval_runs_again",
        parameters=[IDEMPOTENCY_HEADER],
        request=None,
        responses={201: RunSerializer},
    )
    @idempotent
    def post(self, request: Request, run_id: UUID) -> Response:
        """Start a new run with the same plan; its `rerun_of` names this one."""
        run = eval_run_again(run=run_get(project=self.project, id=run_id), by=self.actor)
        return Response(_one(run), status=201)


RunRetryFailed = _action("eval_runs_retry_failed", "Answer again what failed.", eval_run_retry_failed)
RunFinish = _action("eval_runs_finish", "All results are posted: score them.", recorded_run_finish)
