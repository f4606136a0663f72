"""The JSON shapes of REST for evaluators. The services check what settings must be like."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.evaluations.evaluator_selectors import metrics_of
from apps.evaluations.evaluator_services import MAX_NAME

_CONFIG: dict[str, Any] = {
    "type": "object",
    "additionalProperties": True,
    "description": "Settings, by the schema that `kinds/` gives; what is left out takes its default.",
}


@extend_schema_field(_CONFIG)
class ConfigField(SafeJSONField):
    pass


class MetricSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="The name under which scores are stored.")
    title = serializers.CharField()
    direction = serializers.CharField(allow_null=True, help_text="higher or lower is better; null: neither.")
    scale = serializers.CharField(help_text="binary, continuous or ordinal.")
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    unit = serializers.CharField(allow_blank=True)
    level = serializers.CharField(help_text="item: a value for each output; run: one for the whole run.")


class EvaluatorKindSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    group = serializers.CharField(help_text="The heading under which pages offer it.")
    needs_reference = serializers.BooleanField()
    needs_model_in_memory = serializers.BooleanField()
    also_needs = serializers.CharField(allow_blank=True)
    place = serializers.CharField(help_text="Where it is scored: inline, memory, calls or at_end.")
    metrics = MetricSerializer(many=True, help_text="`name` is the kind's own name of the metric.")
    run_metrics = MetricSerializer(many=True, help_text="What only the whole run has.")
    config_schema = ConfigField(help_text="JSON schema of the settings.")


class EvaluatorSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.CharField()
    version = serializers.IntegerField(source="version_number", help_text="The newest version's number.")
    config = ConfigField(source="version_config")
    metrics = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(MetricSerializer(many=True))
    def get_metrics(self, evaluator: Any) -> Any:
        return MetricSerializer(metrics_of(evaluator), many=True).data


class EvaluatorCreateSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=MAX_NAME)
    kind = SafeCharField(max_length=40, help_text="One of `kinds/`.")
    config = ConfigField(required=False)
    slug = SafeCharField(max_length=80, required=False, help_text="Made from the name when left out.")


class EvaluatorChangeSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=MAX_NAME, required=False)
    config = ConfigField(required=False)
    based_on = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The version that was edited: refused when there is a newer one.",
    )
    archived = serializers.BooleanField(required=False)


class TrialSerializer(serializers.Serializer[Any]):
    """An output to score under settings that need not be saved."""

    kind = SafeCharField(max_length=40, help_text="One of `kinds/`.")
    config = ConfigField(required=False)
    output = SafeCharField(max_length=100_000, allow_blank=True, trim_whitespace=False, default="")
    reference = SafeJSONField(required=False, default=None, allow_null=True)
    inputs = serializers.DictField(child=SafeJSONField(allow_null=True), required=False)
    tool_calls = serializers.ListField(
        child=serializers.DictField(child=SafeJSONField(allow_null=True)), required=False, max_length=100
    )
    latency_ms = serializers.FloatField(required=False, min_value=0, max_value=1e12)
    cost_usd = serializers.FloatField(required=False, min_value=0, max_value=1e12)
    input_tokens = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    output_tokens = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    scores = serializers.DictField(
        child=serializers.FloatField(allow_null=True), required=False, help_text="For rules: by metric."
    )


class TrialResultSerializer(serializers.Serializer[Any]):
    """`done` false: a worker scores it; ask again under the token. Without values `reason` says why."""

    done = serializers.BooleanField()
    token = serializers.CharField(allow_null=True)
    values = serializers.DictField(child=serializers.FloatField(), help_text="By the metric's title.")
    category = serializers.CharField(allow_blank=True, help_text="Of kinds that read one.")
    detail = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
