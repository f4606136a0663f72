"""What REST says of measurements and of the policy."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField
from apps.training.measuring.plans import MOST_ROWS
from apps.training.measuring.policy_services import MOST_POINTS, MOST_SLICE_ROWS
from apps.training.models import ModelMeasurement, ModelPolicy

ANSWERS = ["passed", "failed", "undecided", "skipped"]
STATUSES = ModelMeasurement.Status
VERDICTS = ModelMeasurement.Verdict


class PolicySerializer(serializers.Serializer[Any]):
    """`most_lost_on_slice` is in points, hundredths of the primary metric's scale; null: slices are not
    looked at. With `slices_shown` a slice passes only when its interval excludes a larger loss.
    """

    must_beat = serializers.ChoiceField(choices=ModelPolicy.MustBeat.choices)
    most_lost_on_slice = serializers.FloatField(min_value=0, max_value=MOST_POINTS, allow_null=True)
    least_slice_rows = serializers.IntegerField(min_value=1, max_value=MOST_SLICE_ROWS)
    slices_shown = serializers.BooleanField(required=False, default=False)


class PolicyAnswerSerializer(serializers.Serializer[Any]):
    policy = PolicySerializer(allow_null=True, help_text="Null for a project without one.")


class MeasurementCreateSerializer(serializers.Serializer[Any]):
    """Names as in runs. Without `against` the version's base answers too."""

    dataset = SafeCharField(max_length=80)
    dataset_version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1
    )
    split = SafeCharField(max_length=200, required=False, allow_blank=True, default="")
    limit = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=MOST_ROWS
    )
    prompt = SafeCharField(max_length=80)
    prompt_version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, max_value=2**31 - 1
    )
    evaluators = serializers.ListField(child=SafeCharField(max_length=80), min_length=1, max_length=50)
    primary_metric = SafeCharField(max_length=120, required=False, allow_blank=True, default="")
    slice = SafeCharField(
        max_length=200,
        required=False,
        allow_blank=True,
        default="",
        help_text='The metadata column, or "@split", that the policy looks at; "" for each that tells.',
    )
    against = SafeCharField(
        max_length=100, required=False, allow_blank=True, default="", help_text='As "support-tone-v2".'
    )


class MeasuredMetricSerializer(serializers.Serializer[Any]):
    """The primary metric as the comparison has it: version less base, with the 95% interval."""

    name = serializers.CharField()
    title = serializers.CharField()
    direction = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()
    missing = serializers.IntegerField()
    baseline_mean = serializers.FloatField(allow_null=True)
    candidate_mean = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)
    p_value = serializers.FloatField(allow_null=True)
    p_adjusted = serializers.FloatField(allow_null=True)


class SliceFoundSerializer(serializers.Serializer[Any]):
    column = serializers.CharField()
    value = serializers.CharField()
    n = serializers.IntegerField()
    change = serializers.CharField()
    answer = serializers.ChoiceField(choices=ANSWERS)
    query = serializers.CharField(help_text="Narrows the comparison's page to the slice.")


class FindingSerializer(serializers.Serializer[Any]):
    """One condition of the policy as it was, and what was found of it."""

    condition = serializers.CharField()
    answer = serializers.ChoiceField(choices=ANSWERS)
    text = serializers.CharField()
    slices = SliceFoundSerializer(many=True)


class MeasurementSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=STATUSES.choices)
    status_reason = serializers.CharField(allow_null=True)
    verdict = serializers.ChoiceField(choices=VERDICTS.choices, allow_null=True)
    says = serializers.CharField(allow_null=True, help_text="What the comparison says, in a sentence.")
    metric = MeasuredMetricSerializer(allow_null=True)
    policy = PolicySerializer(allow_null=True, help_text="As it was when it was judged.")
    findings = FindingSerializer(many=True)
    against = serializers.CharField(allow_null=True, help_text="The version that it was measured against.")
    base_run = serializers.UUIDField(allow_null=True)
    run = serializers.UUIDField(allow_null=True)
    comparison = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()


def measurement_json(measurement: ModelMeasurement) -> dict[str, Any]:
    """As MeasurementSerializer describes it."""
    figures, judged = measurement.figures, measurement.judged
    says = " ".join(filter(None, (figures.get("headline"), figures.get("detail"))))
    return {
        "id": str(measurement.pk),
        "status": measurement.status,
        "status_reason": measurement.status_reason or None,
        "verdict": measurement.verdict or None,
        "says": says or None,
        "metric": figures.get("metric"),
        "policy": judged.get("policy"),
        "findings": judged.get("findings", []),
        "against": measurement.base_run.name if measurement.base_run else None,
        **{name: _id(getattr(measurement, f"{name}_id")) for name in ("base_run", "run", "comparison")},
        "created_at": measurement.created_at,
        "finished_at": measurement.finished_at,
        "created_by": measurement.author_label,
    }


def _id(pk: Any) -> str | None:
    return None if pk is None else str(pk)
