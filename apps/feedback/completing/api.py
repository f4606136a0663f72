"""`POST /prompts/{slug}/complete/`: what an application calls in place of a provider.

The request is read, checked and turned into a call in a thread, as every REST request is; the wait for the
worker's answer is the loop's.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProblemSerializer, ProjectAPIView, idempotent
from apps.core.problems import PROBLEM_TYPE
from apps.core.roles import Role
from apps.feedback.completing.answering import Waiting, answer
from apps.feedback.completing.serializers import CompletionCreateSerializer, CompletionSerializer
from apps.feedback.completing.services import TokenAsked, completion_start, version_to_run
from apps.feedback.completing.waiting import refuse_too_many
from apps.feedback.thumbs.tokens import KEYS
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.selectors import prompt_get, version_get
from apps.workbench.calls.selectors import call_get

EVENT_STREAM = "text/event-stream"
_SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The prompt's slug.")


def _told(*, refused: str) -> OpenApiResponse:
    return OpenApiResponse(ProblemSerializer, refused)


class _Started(Response):
    """The call was asked for; what the caller gets is still to be waited for."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__({"id": str(waiting.call.pk)}, status=202)
        self.waiting = waiting


class _JsonOrEvents(DefaultContentNegotiation):
    """A caller that accepts nothing but an event stream is still told in JSON what is wrong."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class CompletionView(ProjectAPIView):
    """`/prompts/{slug}/complete/`"""

    roles: ClassVar = {"POST": Role.EDITOR}
    content_negotiation_class = _JsonOrEvents

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        start: Any = super().as_view(**initkwargs)

        async def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            response = await sync_to_async(start)(request, *args, **kwargs)
            return await answer(response.waiting) if isinstance(response, _Started) else response

        view.cls, view.initkwargs, view.csrf_exempt = start.cls, start.initkwargs, True  # type: ignore[attr-defined]
        return view

    @extend_schema(
        operation_id="prompts_complete",
        parameters=[_SLUG, IDEMPOTENCY_HEADER],
        request=CompletionCreateSerializer,
        responses={
            200: CompletionSerializer,
            (200, EVENT_STREAM): OpenApiResponse(
                str, "Events `text` with {text}; then `done` with the same object, or `error` with a problem."
            ),
            (400, PROBLEM_TYPE): _told(refused="The request is not valid; `errors` names each bad field."),
            (403, PROBLEM_TYPE): _told(refused="The key's role is too low."),
            (404, PROBLEM_TYPE): _told(refused="There is no such prompt, version or label."),
            (409, PROBLEM_TYPE): _told(refused="`budget_used_up`: the month's money. `prompt_archived`."),
            (422, PROBLEM_TYPE): _told(refused="The version cannot be run with these inputs and parameters."),
            (429, PROBLEM_TYPE): _told(refused="Too many requests wait for an answer."),
            (502, PROBLEM_TYPE): _told(refused="The model did not answer; `error_kind` says why."),
            (504, PROBLEM_TYPE): _told(refused="No answer in time; `call_id` names the call."),
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        """Run a prompt and wait for the answer: as JSON, or with `stream` piece by piece. The version is the
        one of `version` or `label`, else of the label production, else the newest."""
        serializer = CompletionCreateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = dict(serializer.validated_data)
        refuse_too_many(f"{self.actor.kind}:{self.actor.id}")
        started = self._start(request, slug, asked)
        call = call_get(project=self.project, id=UUID(started.data["id"]))
        accepts_events = EVENT_STREAM in request.headers.get("Accept", "")
        token = asked.get("feedback") or {}
        return _Started(
            Waiting(
                call,
                streamed=asked["stream"] or accepts_events,
                within_s=asked["timeout"],
                token=TokenAsked(tuple(token.get("keys") or KEYS), token.get("hours")),
            )
        )

    @idempotent
    def _start(self, request: Request, slug: str, asked: dict[str, Any]) -> Response:
        prompt = prompt_get(project=self.project, slug=slug)
        keep = asked["keep"]
        if keep is None:  # who repeats a request that was cut off wants its answer
            keep = bool(request.headers.get("Idempotency-Key"))
        call = completion_start(
            project=self.project,
            by=self.actor,
            prompt=prompt,
            version=_version(prompt, asked),
            inputs=asked.get("inputs") or {},
            history=asked.get("history") or (),
            user=asked["user"],
            session=asked["session"],
            model=asked.get("model", ""),
            parameters=asked.get("parameters") or {},
            keep=keep,
        )
        return Response({"id": str(call.pk)}, status=202)


def _version(prompt: Prompt, asked: dict[str, Any]) -> PromptVersion:
    if wanted := asked.get("version") or asked.get("label"):
        return version_get(prompt=prompt, version=wanted)
    return version_to_run(prompt=prompt)
