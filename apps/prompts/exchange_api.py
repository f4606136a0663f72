"""REST for prompts as files, and for the request that a prompt makes of its inputs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api import IDEMPOTENCY_HEADER, ProblemSerializer, ProjectAPIView, SafeCharField, idempotent
from apps.core.problems import PROBLEM_TYPE
from apps.core.roles import Role
from apps.prompts import selectors
from apps.prompts.exchange.formats import FORMATS
from apps.prompts.exchange.openai_json import request_parameters
from apps.prompts.exchange.reading import MAX_BYTES
from apps.prompts.exporting import endpoint_of, project_export, record_of, version_export
from apps.prompts.importing import Outcome, prompts_import, proposed, read_import
from apps.prompts.preview import version_render
from apps.prompts.serializers import RenderSerializer

_SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The prompt's slug.")
_BAD = OpenApiResponse(ProblemSerializer, "The input is not valid; `errors` names each bad field.")
_MISSING = OpenApiResponse(ProblemSerializer, "There is no such prompt or version in the key's project.")
_REFUSED = OpenApiResponse(ProblemSerializer, "The key's role is too low.")


class _FormatIsOurs(DefaultContentNegotiation):
    """`?format=` names a format of prompts here, and not the media type of the answer."""

    settings = SimpleNamespace(URL_FORMAT_OVERRIDE=None)  # type: ignore[assignment]


class ExportedSerializer(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=list(FORMATS))
    filename = serializers.CharField()
    content = serializers.CharField(help_text="The file's text.")
    losses = serializers.ListField(
        child=serializers.CharField(), help_text="What the format does not carry, a sentence each."
    )


class AllExportedSerializer(serializers.Serializer[Any]):
    filename = serializers.CharField()
    content = serializers.CharField(help_text="Our YAML, a document for each prompt's newest version.")


class ImportSerializer(serializers.Serializer[Any]):
    content = SafeCharField(
        max_length=MAX_BYTES,
        trim_whitespace=False,
        help_text="The file's text; the format is found out. At most 2 MB as UTF-8.",
    )
    name = SafeCharField(
        max_length=110, required=False, default="Imported prompt", help_text="For prompts without a name."
    )
    prompt = SafeCharField(
        max_length=80,
        required=False,
        allow_blank=True,
        default="",
        help_text="The slug of the prompt that the file's only prompt is to be the next version of.",
    )
    folder = SafeCharField(max_length=200, required=False, allow_blank=True, default="")
    dry_run = serializers.BooleanField(
        required=False, default=False, help_text="Tell what would be made, and make nothing."
    )


class ImportedSerializer(serializers.Serializer[Any]):
    place = serializers.CharField(source="found.place", help_text="Where in the file it stands.")
    status = serializers.ChoiceField(source="kind", choices=("created", "saved", "unchanged", "failed"))
    name = serializers.CharField(source="choice.name")
    slug = serializers.CharField()
    version = serializers.IntegerField(source="number", allow_null=True)
    losses = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(help_text="Why nothing was written.")


class ImportAnswerSerializer(serializers.Serializer[Any]):
    formats = serializers.ListField(child=serializers.CharField())
    prompts = ImportedSerializer(many=True)


class RequestSerializer(RenderSerializer):
    model = SafeCharField(
        max_length=280, required=False, allow_blank=True, default="", help_text="Instead of the version's."
    )


class PromptExportView(ProjectAPIView):
    roles: ClassVar = {"GET": Role.VIEWER}
    content_negotiation_class = _FormatIsOurs

    @extend_schema(
        operation_id="prompts_export",
        parameters=[
            _SLUG,
            OpenApiParameter("format", str, enum=list(FORMATS), description="Left out: yaml, our own."),
            OpenApiParameter("version", str, description="A number, a label, or latest."),
        ],
        responses={
            200: ExportedSerializer,
            (400, PROBLEM_TYPE): _BAD,
            (404, PROBLEM_TYPE): _MISSING,
        },
    )
    def get(self, request: Request, slug: str) -> Response:
        query = request.query_params
        prompt = selectors.prompt_get(project=self.project, slug=slug)
        which = query.get("version") or selectors.LATEST
        version = selectors.version_get(prompt=prompt, version=which)
        exported = version_export(version=version, format=query.get("format") or "yaml")
        answer = {
            "format": exported.format.name,
            "filename": exported.filename,
            "content": exported.text,
            "losses": exported.losses,
        }
        return Response(answer)


class ProjectExportView(ProjectAPIView):
    roles: ClassVar = {"GET": Role.EDITOR}

    @extend_schema(operation_id="prompts_export_all", responses={200: AllExportedSerializer})
    def get(self, request: Request) -> Response:
        content = "".join(project_export(project=self.project))
        return Response({"filename": f"{self.project.slug}.prompts.yaml", "content": content})


class PromptImportView(ProjectAPIView):
    roles: ClassVar = {"POST": Role.EDITOR}

    @extend_schema(
        operation_id="prompts_import",
        parameters=[IDEMPOTENCY_HEADER],
        request=ImportSerializer,
        responses={
            200: ImportAnswerSerializer,
            (400, PROBLEM_TYPE): OpenApiResponse(
                ProblemSerializer, "`import_refused`: the file cannot be read; or the input is not valid."
            ),
            (403, PROBLEM_TYPE): _REFUSED,
        },
        description="Prompts from a file in any format of the export. One that is there under the same slug "
        "or name gets the next version. Each is imported by itself: those that fail say why.",
    )
    @idempotent
    def post(self, request: Request) -> Response:
        wanted = _read(ImportSerializer, request)
        formats, found = read_import(wanted["content"].encode())
        choices = proposed(project=self.project, found=found, name=wanted["name"], into=wanted["prompt"])
        outcomes: list[Outcome] = prompts_import(
            project=self.project,
            by=self.actor,
            found=found,
            choices=choices,
            folder=wanted["folder"],
            dry_run=wanted["dry_run"],
        )
        return Response(ImportAnswerSerializer({"formats": formats, "prompts": outcomes}).data)


class PromptRequestView(ProjectAPIView):
    roles: ClassVar = {"POST": Role.VIEWER}

    @extend_schema(
        operation_id="prompts_request",
        parameters=[_SLUG],
        request=RequestSerializer,
        responses={
            200: OpenApiResponse(
                {"type": "object", "additionalProperties": True},
                "The body of a request to OpenAI's chat completions, or a server that speaks its protocol.",
            ),
            (400, PROBLEM_TYPE): _BAD,
            (404, PROBLEM_TYPE): _MISSING,
        },
        description="The filled-in messages with model, parameters, tools and schema, ready to be sent.",
    )
    def post(self, request: Request, slug: str) -> Response:
        prompt = selectors.prompt_get(project=self.project, slug=slug)
        wanted = _read(RequestSerializer, request)
        which = wanted.get("version") or wanted["label"] or selectors.LATEST
        version = selectors.version_get(prompt=prompt, version=which)
        rendered = version_render(version=version, inputs=wanted["inputs"])
        parameters = request_parameters(record_of(version), endpoint_of(version))
        if wanted["model"]:
            parameters["model"] = wanted["model"]
        return Response({**parameters, "messages": rendered})


def _read(serializer_class: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
