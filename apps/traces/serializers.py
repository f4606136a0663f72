"""Spans in REST, as they are read."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.traces.models import Span

KINDS = Span.Kind.choices


class SpanScoreSerializer(serializers.Serializer[Any]):
    """What somebody or something says of the span."""

    metric = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # DRF's own names for something else
    rater = serializers.CharField(allow_blank=True)
    value = serializers.FloatField(allow_null=True)
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    comment = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class SpanListedSerializer(serializers.Serializer[Any]):
    """A span without what it holds. `output` is its beginning."""

    id = serializers.UUIDField()
    external_id = serializers.CharField(allow_blank=True, help_text="The application's own name of it.")
    trace = serializers.UUIDField(source="trace_id")
    kind = serializers.ChoiceField(KINDS)
    name = serializers.CharField(allow_blank=True)
    source = serializers.CharField()  # type: ignore[assignment]  # DRF's own name for something else
    prompt = serializers.SlugField(source="prompt.slug", allow_null=True, default=None)
    prompt_version = serializers.IntegerField(source="prompt_version.number", allow_null=True, default=None)
    model = serializers.CharField(source="model_name", allow_blank=True)
    session = serializers.CharField(allow_blank=True)
    user = serializers.CharField(allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField())
    output = serializers.CharField(source="beginning", allow_blank=True)
    finish_reason = serializers.CharField(allow_blank=True)
    error_kind = serializers.CharField(allow_blank=True)
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cost_usd = serializers.FloatField(allow_null=True)
    time_to_first_token_ms = serializers.FloatField(allow_null=True)
    duration_ms = serializers.FloatField(allow_null=True)
    started_at = serializers.DateTimeField()
    scores = SpanScoreSerializer(many=True)


class SpanSerializer(SpanListedSerializer):
    """A span with everything that went in and came out."""

    parent = serializers.UUIDField(source="parent_id", allow_null=True)  # type: ignore[assignment]
    messages = serializers.JSONField()
    inputs = serializers.JSONField(allow_null=True)
    parameters = serializers.JSONField()
    output = serializers.CharField(allow_blank=True)
    tool_calls = serializers.JSONField()
    error = serializers.CharField(allow_blank=True)
