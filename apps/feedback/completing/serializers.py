"""Running a prompt in REST."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.feedback.completing.services import WAIT_S
from apps.feedback.thumbs.tokens import KEYS
from apps.prompts.messages import MessageError, parse_messages
from apps.workbench.call_serializers import CallCreateSerializer, CallToolCallSerializer
from apps.workbench.models import Call

#: Longer than any model answers; a server between may well be less patient.
MOST_WAIT_S = 600
MOST_HOURS = 24 * 365
STATUSES = Call.Status.choices


class TokenAskedSerializer(serializers.Serializer[Any]):
    """What the answer's feedback token allows, and for how long."""

    keys = serializers.ListField(
        child=serializers.ChoiceField(KEYS), required=False, allow_empty=False, max_length=len(KEYS)
    )
    hours = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_HOURS, help_text="Else what the project's settings say."
    )


class CompletionCreateSerializer(CallCreateSerializer):
    """A prompt's version with values for its variables. `label` is production where neither is given, else
    the newest version."""

    history = SafeJSONField(
        required=False, help_text="Earlier messages of a talk: a list of objects with role and content."
    )
    user = SafeCharField(required=False, allow_blank=True, max_length=200, default="")
    session = SafeCharField(required=False, allow_blank=True, max_length=200, default="")
    stream = serializers.BooleanField(
        required=False, default=False, help_text="Answer as server-sent events; so does Accept."
    )
    keep = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Go on when the connection is left."
    )
    timeout = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_WAIT_S, default=int(WAIT_S), help_text="Seconds."
    )
    feedback = TokenAskedSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # A mistyped `label` would run another version than was meant, and nobody would see it.
        if unknown := sorted(map(str, set(self.initial_data) - set(self.fields))):
            raise serializers.ValidationError({unknown[0][:60]: ["There is no such field."]})
        return attrs

    def validate_history(self, value: Any) -> list[dict[str, Any]]:
        try:
            return [
                message.as_dict()
                for message in parse_messages(
                    value, path="history", allow_placeholders=False, allow_empty=True
                )
            ]
        except MessageError as error:
            raise serializers.ValidationError(error.sentences()) from error


class CompletionUsageSerializer(serializers.Serializer[Any]):
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cost_usd = serializers.FloatField(allow_null=True, help_text="null where the price is not known.")


class CompletionSerializer(serializers.Serializer[Any]):
    """What a model answered. `span_id` is the call in the traces, `feedback_token` what its user's browser
    sends with a thumb."""

    id = serializers.UUIDField(help_text="Of the call, under /calls/.")
    status = serializers.ChoiceField(STATUSES)
    text = serializers.CharField(allow_blank=True)
    tool_calls = CallToolCallSerializer(many=True)
    finish_reason = serializers.CharField(allow_blank=True)
    error_kind = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    usage = CompletionUsageSerializer()
    span_id = serializers.UUIDField(allow_null=True)
    feedback_token = serializers.CharField(allow_null=True)
    prompt = serializers.SlugField()
    prompt_version = serializers.IntegerField(allow_null=True)
    model = serializers.CharField()
    user = serializers.CharField(allow_blank=True)
    session = serializers.CharField(allow_blank=True)
    time_to_first_token_ms = serializers.FloatField(allow_null=True)
    duration_ms = serializers.FloatField(allow_null=True)
    created_at = serializers.DateTimeField()
