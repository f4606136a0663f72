"""Calls in REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.workbench.models import Call

#: Chosen from by the document's enumeration names, so that other rooms' states keep their own.
STATUSES = Call.Status.choices
PURPOSES = Call.Purpose.choices


class CallCreateSerializer(serializers.Serializer[Any]):
    """A saved version with values for its variables; what is given here goes before what the version says."""

    inputs = SafeJSONField(required=False, help_text="The variables' values, an object.")
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    label = SafeCharField(required=False, max_length=60, default="")  # type: ignore[assignment]
    model = SafeCharField(required=False, max_length=200, help_text="As provider/model.")
    parameters = SafeJSONField(required=False, help_text='An object, as {"temperature": 0.2}.')

    def validate_inputs(self, value: Any) -> dict[str, Any]:
        return _object(value)

    def validate_parameters(self, value: Any) -> dict[str, Any]:
        return _object(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("version") and attrs.get("label"):
            raise serializers.ValidationError({"label": ["Give a version or a label, not both."]})
        return attrs


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise serializers.ValidationError("This must be an object.")
    return value


class CallToolCallSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()
    arguments = serializers.CharField(help_text="JSON as the model wrote it.")


class CallSerializer(serializers.Serializer[Any]):
    """A call to a model. Until it has ended, `output` is empty; one that was stopped keeps what came."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(STATUSES)
    purpose = serializers.ChoiceField(PURPOSES)
    prompt_version = serializers.IntegerField(allow_null=True, help_text="null for a draft.")
    model_name = serializers.CharField()
    output = serializers.CharField(allow_blank=True)
    tool_calls = CallToolCallSerializer(many=True)
    finish_reason = serializers.CharField(allow_blank=True)
    error_kind = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cost_usd = serializers.CharField(allow_null=True, help_text="US dollars; null while it is not known.")
    time_to_first_token_ms = serializers.FloatField(allow_null=True)
    duration_ms = serializers.FloatField(allow_null=True)
    batch = serializers.UUIDField(help_text="Calls that were asked for together share it.")
    column = serializers.CharField(allow_blank=True)
    keep = serializers.BooleanField(help_text="Goes on when the page that asked is left.")
    by = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class WholeCallSerializer(CallSerializer):
    """With what it was made of."""

    content = serializers.JSONField(help_text="messages, parameters, tools, response_schema and includes.")
    inputs = serializers.JSONField()
    messages = serializers.JSONField(help_text="The messages as they were sent.")
