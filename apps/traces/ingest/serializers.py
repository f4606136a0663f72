"""Spans as applications send them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.traces.models import Span

MOST_SPANS = 1000
MOST_BYTES = 20_000_000
MOST_TEXT = 400_000
MOST_JSON = 800_000
MOST_MESSAGES = 500
KINDS = Span.Kind.choices
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_MOST_AHEAD = timedelta(hours=24)
_MOST_INT = 2**31 - 1


def _text(length: int, **more: Any) -> SafeCharField:
    return SafeCharField(required=False, allow_blank=True, max_length=length, default="", **more)


def _count(**more: Any) -> serializers.IntegerField:
    return serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=_MOST_INT, default=None, **more
    )


def _milliseconds() -> serializers.FloatField:
    return serializers.FloatField(required=False, allow_null=True, min_value=0, max_value=1e12, default=None)


class _SizedJSONField(SafeJSONField):
    """JSON of one shape and no more than MOST_JSON characters."""

    def __init__(self, shape: type[dict[Any, Any]] | type[list[Any]], **more: Any) -> None:
        super().__init__(required=False, **more)
        self._shape = shape

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, self._shape):
            what = "a list" if self._shape is list else "an object"
            raise serializers.ValidationError(f"This must be {what}.")
        if value and len(json.dumps(value, ensure_ascii=False)) > MOST_JSON:
            raise serializers.ValidationError(f"This is longer than {MOST_JSON:,} characters of JSON.")
        return value


class SpanCreateSerializer(serializers.Serializer[Any]):
    """A call that the application made itself. `id` is the application's own name of it: sent again, it
    changes nothing."""

    id = SafeCharField(max_length=100)
    kind = serializers.ChoiceField(KINDS, required=False, default="llm")
    name = _text(200)
    model = _text(200, help_text="As provider/model where it is one of the project's, else its own name.")
    messages = _SizedJSONField(list, help_text="Objects with role and content.")
    output = _text(MOST_TEXT, trim_whitespace=False)
    tool_calls = _SizedJSONField(list)
    inputs = _SizedJSONField(dict, allow_null=True, help_text="The prompt's variables.")
    parameters = _SizedJSONField(dict)
    finish_reason = _text(40)
    input_tokens = _count()
    output_tokens = _count()
    cost_usd = serializers.DecimalField(
        16, 9, required=False, allow_null=True, min_value=0, default=None, help_text="Else by the price list."
    )
    started_at = serializers.DateTimeField(required=False, help_text="Else when it is received.")
    duration_ms = _milliseconds()
    time_to_first_token_ms = _milliseconds()
    error = _text(20_000)
    error_kind = _text(30)
    prompt = _text(80, help_text="The slug of a prompt of the project.")
    prompt_version = serializers.IntegerField(required=False, allow_null=True, min_value=1, default=None)
    trace = _text(100, help_text="Spans that name the same trace belong together.")
    # DRF's own name for the serializer around this one, of which nobody asks here.
    parent = _text(  # type: ignore[assignment]
        100, help_text="The id of a span that was sent before, or with this one."
    )
    session = _text(200)
    user = _text(200)
    tags = serializers.ListField(
        child=SafeCharField(max_length=80), required=False, max_length=20, default=list
    )

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {unknown[0][:80]: f"There is no such field; a span has {known}."}
            )
        return super().to_internal_value(data)

    def validate_messages(self, value: list[Any]) -> list[Any]:
        if len(value) > MOST_MESSAGES:
            raise serializers.ValidationError(f"At most {MOST_MESSAGES} messages.")
        for place, message in enumerate(value):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                raise serializers.ValidationError(f"Message {place} must be an object with a role.")
        return value

    def validate_started_at(self, value: datetime) -> datetime:
        if not _EARLIEST <= value <= timezone.now() + _MOST_AHEAD:
            raise serializers.ValidationError("This is not a time at which a span can have begun.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["prompt_version"] and not attrs["prompt"]:
            raise serializers.ValidationError({"prompt": "Name the prompt of this version."})
        return attrs


class SpansCreateSerializer(serializers.Serializer[Any]):
    """Up to 1,000 spans; each is taken or refused for itself."""

    spans = SpanCreateSerializer(many=True)


class RejectedSpanSerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Its place in the request, from 0.")
    id = serializers.CharField(allow_null=True)
    field = serializers.CharField()
    error = serializers.CharField()


class TakenSpanSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The application's own name.")
    span_id = serializers.UUIDField()
    status = serializers.ChoiceField([("accepted", "accepted"), ("duplicate", "duplicate")])


class SpansTakenSerializer(serializers.Serializer[Any]):
    """What became of each span of the request."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="Ids that were there already; nothing was changed.")
    spans = TakenSpanSerializer(many=True)
    rejected = RejectedSpanSerializer(many=True)
