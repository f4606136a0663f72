"""REST for prompts, their versions and labels."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from apps.core.api import IDEMPOTENCY_HEADER, ProblemSerializer, ProjectViewSet, idempotent
from apps.core.errors import InvalidInput
from apps.core.problems import PROBLEM_TYPE
from apps.core.roles import Role
from apps.prompts import label_services, selectors, serializers, services
from apps.prompts.errors import VersionNotFound
from apps.prompts.models import Prompt
from apps.prompts.preview import version_render

_SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The prompt's slug.")
_BAD = OpenApiResponse(ProblemSerializer, "The input is not valid; `errors` names each bad field.")
_MISSING = OpenApiResponse(ProblemSerializer, "There is no such prompt or version in the key's project.")
_CONFLICT = OpenApiResponse(ProblemSerializer, "It conflicts with what is there; nothing was written.")
_REFUSED = OpenApiResponse(ProblemSerializer, "The key's role is too low.")


def _read(serializer_class: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class _PromptPartViewSet(ProjectViewSet):
    """What belongs to the prompt whose slug is in the address."""

    def prompt(self) -> Prompt:
        return selectors.prompt_get(project=self.project, slug=self.kwargs["slug"])

    def page(self, queryset: Any, serializer_class: type[Serializer[Any]]) -> Response:
        rows = self.paginate_queryset(queryset)
        return self.get_paginated_response(serializer_class(rows, many=True).data)


class PromptViewSet(_PromptPartViewSet):
    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.EDITOR, "PATCH": Role.EDITOR}
    serializer_class = serializers.PromptSerializer

    @extend_schema(
        operation_id="prompts_list",
        parameters=[
            OpenApiParameter(
                "q",
                str,
                description="Words in the name, slug, messages or notes of any version, as in a web search "
                '(or, -without, "a phrase"), or as a piece of the text.',
            ),
            OpenApiParameter("folder", str, description="A folder, with its subfolders."),
            OpenApiParameter("tag", str, many=True, description="Tags that a prompt has all of."),
            OpenApiParameter("archived", bool, description="Archived prompts instead of the others."),
        ],
        responses={200: serializers.PromptSerializer(many=True)},
    )
    def list(self, request: Request) -> Response:
        query = request.query_params
        prompts = selectors.prompt_list(
            project=self.project,
            search=query.get("q", ""),
            folder=query.get("folder", "").replace("\x00", "") or None,
            tags=[tag.replace("\x00", "") for tag in query.getlist("tag")],
            archived=query.get("archived", "").lower() in ("true", "1"),
        )
        return self.page(prompts, serializers.PromptSerializer)

    @extend_schema(
        operation_id="prompts_create",
        parameters=[IDEMPOTENCY_HEADER],
        request=serializers.PromptCreateSerializer,
        responses={
            201: serializers.PromptSerializer,
            (400, PROBLEM_TYPE): _BAD,
            (403, PROBLEM_TYPE): _REFUSED,
            (409, PROBLEM_TYPE): _CONFLICT,
        },
    )
    @idempotent
    def create(self, request: Request) -> Response:
        wanted = _read(serializers.PromptCreateSerializer, request)
        prompt = services.prompt_create(project=self.project, by=self.actor, **wanted)
        return Response(self._shown(prompt.slug), status=201)

    @extend_schema(
        operation_id="prompts_retrieve",
        parameters=[_SLUG],
        responses={200: serializers.PromptSerializer, (404, PROBLEM_TYPE): _MISSING},
    )
    def retrieve(self, request: Request, slug: str) -> Response:
        return Response(self._shown(slug))

    @extend_schema(
        operation_id="prompts_update",
        parameters=[_SLUG],
        request=serializers.PromptChangeSerializer,
        responses={
            200: serializers.PromptSerializer,
            (400, PROBLEM_TYPE): _BAD,
            (403, PROBLEM_TYPE): _REFUSED,
            (404, PROBLEM_TYPE): _MISSING,
        },
    )
    def partial_update(self, request: Request, slug: str) -> Response:
        prompt = self.prompt()
        changes = _read(serializers.PromptChangeSerializer, request)
        services.prompt_change(prompt=prompt, by=self.actor, **changes)
        return Response(self._shown(slug))

    def _shown(self, slug: str) -> Any:
        return serializers.PromptSerializer(selectors.prompt_summary(project=self.project, slug=slug)).data


class PromptVersionViewSet(_PromptPartViewSet):
    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.EDITOR}
    serializer_class = serializers.VersionSerializer

    @extend_schema(
        operation_id="prompt_versions_list",
        parameters=[_SLUG],
        responses={200: serializers.VersionSerializer(many=True), (404, PROBLEM_TYPE): _MISSING},
    )
    def list(self, request: Request, slug: str) -> Response:
        versions = self.prompt().versions.select_related("parent").prefetch_related("labels")
        return self.page(versions, serializers.VersionSerializer)

    @extend_schema(
        operation_id="prompt_versions_create",
        parameters=[_SLUG, IDEMPOTENCY_HEADER],
        request=serializers.VersionCreateSerializer,
        responses={
            201: serializers.VersionSerializer,
            (400, PROBLEM_TYPE): _BAD,
            (403, PROBLEM_TYPE): _REFUSED,
            (404, PROBLEM_TYPE): _MISSING,
            (409, PROBLEM_TYPE): OpenApiResponse(
                ProblemSerializer,
                "`stale_parent`: someone saved a newer version than `parent`; `ours` and `theirs` hold both. "
                "`nothing_changed`: the newest version has this content. `prompt_archived`.",
            ),
        },
    )
    @idempotent
    def create(self, request: Request, slug: str) -> Response:
        prompt = self.prompt()
        wanted = _read(serializers.VersionCreateSerializer, request)
        if "parent" in wanted:
            wanted["parent"] = _parent(prompt, wanted["parent"])
        version = services.prompt_version_create(prompt=prompt, by=self.actor, **wanted)
        return Response(serializers.VersionSerializer(version).data, status=201)

    @extend_schema(
        operation_id="prompt_versions_retrieve",
        parameters=[
            _SLUG,
            OpenApiParameter(
                "version", str, OpenApiParameter.PATH, description="A number, a label, or latest."
            ),
        ],
        responses={200: serializers.VersionSerializer, (404, PROBLEM_TYPE): _MISSING},
    )
    def retrieve(self, request: Request, slug: str, version: str) -> Response:
        found = selectors.version_get(prompt=self.prompt(), version=version)
        return Response(serializers.VersionSerializer(found).data)


def _parent(prompt: Prompt, number: int | None) -> services.Parent:
    if number is None:
        return None
    try:
        return selectors.version_get(prompt=prompt, version=number)
    except VersionNotFound as error:
        raise InvalidInput(error.detail, fields={"parent": [error.detail]}) from error


class PromptLabelViewSet(_PromptPartViewSet):
    roles: ClassVar = {"GET": Role.VIEWER, "POST": Role.EDITOR, "DELETE": Role.EDITOR}
    serializer_class = serializers.LabelSerializer

    @extend_schema(
        operation_id="prompt_labels_list",
        parameters=[_SLUG],
        responses={200: serializers.LabelSerializer(many=True), (404, PROBLEM_TYPE): _MISSING},
    )
    def list(self, request: Request, slug: str) -> Response:
        return self.page(selectors.label_list(prompt=self.prompt()), serializers.LabelSerializer)

    @extend_schema(
        operation_id="prompt_labels_set",
        parameters=[_SLUG, IDEMPOTENCY_HEADER],
        request=serializers.LabelSetSerializer,
        responses={
            200: serializers.LabelSerializer,
            (400, PROBLEM_TYPE): _BAD,
            (403, PROBLEM_TYPE): OpenApiResponse(
                ProblemSerializer, "The role is too low, or the label is protected."
            ),
            (404, PROBLEM_TYPE): _MISSING,
            (409, PROBLEM_TYPE): _CONFLICT,
        },
    )
    @idempotent
    def create(self, request: Request, slug: str) -> Response:
        prompt = self.prompt()
        wanted = _read(serializers.LabelSetSerializer, request)
        version = selectors.version_get(prompt=prompt, version=wanted["version"])
        label = label_services.label_set(
            prompt=prompt, by=self.actor, name=wanted["label"], version=version, reason=wanted["reason"]
        )
        return Response(serializers.LabelSerializer(label).data)

    @extend_schema(
        operation_id="prompt_labels_remove",
        parameters=[_SLUG, OpenApiParameter("label", str, OpenApiParameter.PATH)],
        responses={204: None, (403, PROBLEM_TYPE): _REFUSED, (404, PROBLEM_TYPE): _MISSING},
    )
    def destroy(self, request: Request, slug: str, label: str) -> Response:
        label_services.label_remove(prompt=self.prompt(), by=self.actor, name=label.replace("\x00", ""))
        return Response(status=204)


class PromptRenderViewSet(_PromptPartViewSet):
    roles: ClassVar = {"POST": Role.VIEWER}
    serializer_class = serializers.RenderedSerializer

    @extend_schema(
        operation_id="prompts_render",
        parameters=[_SLUG],
        request=serializers.RenderSerializer,
        responses={
            200: serializers.RenderedSerializer,
            (400, PROBLEM_TYPE): _BAD,
            (404, PROBLEM_TYPE): _MISSING,
        },
        description="Fill in a version's messages: the one of `version` or `label`, else the newest.",
    )
    def create(self, request: Request, slug: str) -> Response:
        prompt = self.prompt()
        wanted = _read(serializers.RenderSerializer, request)
        which = wanted.get("version") or wanted["label"] or selectors.LATEST
        version = selectors.version_get(prompt=prompt, version=which)
        messages = version_render(version=version, inputs=wanted["inputs"])
        answer = {
            "version": version.number,
            "messages": messages,
            "parameters": version.parameters,
            "tools": version.tools,
            "response_schema": version.response_schema,
        }
        return Response(answer)
