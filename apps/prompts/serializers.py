"""The JSON shapes of REST for prompts. The services check what messages and parameters must be like."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.prompts.messages import PLACEHOLDER, ROLES
from apps.prompts.models import Prompt, PromptLabel, PromptVersion

_ANY_OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": True}
_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"type": "string", "enum": [*ROLES, PLACEHOLDER]},
        "content": {"type": "string", "nullable": True, "description": "A Jinja template."},
        "name": {"type": "string", "description": "For a placeholder: the input that holds its messages."},
        "tool_calls": {"type": "array", "items": _ANY_OBJECT},
        "tool_call_id": {"type": "string"},
    },
}
_PARAMETERS = {
    "type": "object",
    "properties": {
        "model": {"type": "string", "description": "provider/model"},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2},
        "top_p": {"type": "number", "minimum": 0, "maximum": 1},
        "max_tokens": {"type": "integer", "minimum": 1},
        "stop": {"type": "array", "items": {"type": "string"}},
        "seed": {"type": "integer"},
        "extra": {**_ANY_OBJECT, "description": "Sent to the provider as it is."},
    },
}


@extend_schema_field({"type": "array", "items": _MESSAGE, "minItems": 1})
class MessagesField(SafeJSONField):
    pass


@extend_schema_field(_PARAMETERS)
class ParametersField(SafeJSONField):
    pass


@extend_schema_field({"type": "array", "items": _ANY_OBJECT})
class ToolsField(SafeJSONField):
    pass


@extend_schema_field({**_ANY_OBJECT, "nullable": True})
class SchemaField(SafeJSONField):
    pass


_INCLUDED = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "description": "Its slug."},
        "version": {"type": "integer"},
        "version_id": {"type": "string", "format": "uuid"},
        "text": {"type": "string", "description": "The template that stands in for the include."},
        "includes": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Which of these entries its own includes are.",
        },
    },
}


@extend_schema_field({"type": "object", "additionalProperties": _INCLUDED})
class IncludesField(SafeJSONField):
    """What the includes resolved to when the version was saved, by reference."""


@extend_schema_field(_ANY_OBJECT)
class ObjectField(SafeJSONField):
    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("Give an object.")
        return value


class TagsField(serializers.ListField):
    """Words that prompts are found by."""

    child = SafeCharField(max_length=60)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=20, **kwargs)


class PromptCreateSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=120)
    slug = SafeCharField(max_length=80, required=False, allow_blank=True, default="")
    folder = SafeCharField(max_length=200, required=False, allow_blank=True, default="")
    tags = TagsField(required=False, default=list)


class PromptChangeSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=120, required=False)
    folder = SafeCharField(max_length=200, required=False, allow_blank=True)
    tags = TagsField(required=False)
    archived = serializers.BooleanField(required=False)


class PromptSerializer(serializers.ModelSerializer[Prompt]):
    """A prompt with its newest version's number (null before the first) and its labels."""

    latest_version = serializers.IntegerField(source="last_number", allow_null=True, read_only=True)
    labels = serializers.SerializerMethodField()
    author = serializers.CharField(source="author_label", read_only=True)

    class Meta:
        model = Prompt
        fields = (
            "id",
            "slug",
            "name",
            "folder",
            "tags",
            "latest_version",
            "labels",
            "author",
            "created_at",
            "changed_at",
            "archived_at",
        )
        read_only_fields = fields

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_labels(self, prompt: Prompt) -> dict[str, int]:
        return {label.name: label.version.number for label in prompt.labels.all()}


class VersionCreateSerializer(serializers.Serializer[Any]):
    messages = MessagesField()
    parameters = ParametersField(required=False, default=dict)
    tools = ToolsField(required=False, allow_null=True, default=None)
    response_schema = SchemaField(required=False, allow_null=True, default=None)
    commit_message = SafeCharField(max_length=500, required=False, allow_blank=True, default="")
    parent = serializers.IntegerField(  # type: ignore[assignment]  # a field's name, not DRF's attribute
        required=False,
        allow_null=True,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The number of the version that was edited; null: there was none. When given, a save on "
        "top of a newer version is refused with 409. Left out: whatever version is newest.",
    )


class VersionSerializer(serializers.ModelSerializer[PromptVersion]):
    messages = MessagesField(read_only=True)
    parameters = ParametersField(read_only=True)
    tools = ToolsField(read_only=True)
    response_schema = SchemaField(read_only=True, allow_null=True)
    includes = IncludesField(read_only=True)
    parent = serializers.SerializerMethodField()  # type: ignore[assignment]
    labels = serializers.SerializerMethodField()
    author = serializers.CharField(source="author_label", read_only=True)

    class Meta:
        model = PromptVersion
        fields = (
            "id",
            "number",
            "messages",
            "parameters",
            "tools",
            "response_schema",
            "includes",
            "variables",
            "commit_message",
            "parent",
            "labels",
            "author",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field({"type": "integer", "nullable": True})
    def get_parent(self, version: PromptVersion) -> int | None:
        return version.parent.number if version.parent else None

    @extend_schema_field({"type": "array", "items": {"type": "string"}})
    def get_labels(self, version: PromptVersion) -> list[str]:
        return sorted(label.name for label in version.labels.all())


class LabelSetSerializer(serializers.Serializer[Any]):
    label = SafeCharField(max_length=60)  # type: ignore[assignment]
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    reason = SafeCharField(max_length=500, required=False, allow_blank=True, default="")


class LabelSerializer(serializers.ModelSerializer[PromptLabel]):
    label = serializers.CharField(source="name", read_only=True)  # type: ignore[assignment]
    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = PromptLabel
        fields = ("id", "label", "version", "moved_at")
        read_only_fields = fields


class RenderSerializer(serializers.Serializer[Any]):
    inputs = ObjectField(required=False, default=dict)
    version = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=2**31 - 1)
    label = SafeCharField(required=False, allow_blank=True, max_length=60, default="")  # type: ignore[assignment]


class RenderedSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    messages = MessagesField()
    parameters = ParametersField()
    tools = ToolsField()
    response_schema = SchemaField(allow_null=True)
