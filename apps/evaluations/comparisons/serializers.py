"""What REST says of comparisons."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField
from apps.evaluations.comparisons.services import MOST_CANDIDATES

STATUSES = ["pending", "ready", "failed"]


class ComparisonCreateSerializer(serializers.Serializer[Any]):
    baseline = serializers.UUIDField()
    candidates = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=MOST_CANDIDATES
    )
    primary_metric = SafeCharField(max_length=120, required=False, default="", allow_blank=True)
    name = SafeCharField(max_length=200, required=False, default="", allow_blank=True)


class MeanIntervalSerializer(serializers.Serializer[Any]):
    """One side's mean over the paired examples, with its own 95% interval."""

    n = serializers.IntegerField()
    clusters = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    method = serializers.CharField()


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField()
    count = serializers.IntegerField()


class LackingSerializer(serializers.Serializer[Any]):
    """Why examples have no score, by side."""

    baseline = ReasonSerializer(many=True)
    candidate = ReasonSerializer(many=True)


class SensitivitySerializer(serializers.Serializer[Any]):
    """The difference if every score that is missing spoke against the candidate."""

    difference = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)
    text = serializers.CharField()


class ComparedMetricSerializer(serializers.Serializer[Any]):
    """One metric, paired on the examples both runs have a score for.

    `level` is "run" where only a whole run has the metric; "preference" is the difference of the win rates.
    `detectable` is the smallest difference this comparison shows with a probability of 80%.
    """

    name = serializers.CharField()
    title = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    level = serializers.ChoiceField(choices=["item", "run"])
    primary = serializers.BooleanField()
    direction = serializers.CharField(allow_blank=True)
    scale = serializers.CharField()
    unit = serializers.CharField(allow_blank=True)
    n = serializers.IntegerField()
    missing = serializers.IntegerField()
    missing_in_baseline = serializers.IntegerField()
    missing_in_candidate = serializers.IntegerField()
    lacking = LackingSerializer()
    sensitivity = SensitivitySerializer(allow_null=True)
    baseline = MeanIntervalSerializer()
    candidate = MeanIntervalSerializer()
    baseline_mean = serializers.FloatField(allow_null=True)
    candidate_mean = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    standard_error = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)
    interval = serializers.CharField(allow_blank=True)
    p_value = serializers.FloatField(allow_null=True)
    p_adjusted = serializers.FloatField(allow_null=True)
    test = serializers.CharField(allow_blank=True)
    reason = serializers.CharField()
    wins = serializers.IntegerField(allow_null=True)
    ties = serializers.IntegerField(allow_null=True)
    losses = serializers.IntegerField(allow_null=True)
    effect_size = serializers.FloatField(allow_null=True)
    effect_size_name = serializers.CharField(allow_blank=True)
    spread = serializers.FloatField(allow_null=True)
    detectable = serializers.FloatField(allow_null=True)
    other_tests = serializers.DictField(child=serializers.FloatField())
    other_intervals = serializers.DictField(child=serializers.ListField(child=serializers.FloatField()))


class MeasuredSerializer(serializers.Serializer[Any]):
    """Latency or cost of a call, the candidate's less the baseline's."""

    unit = serializers.CharField()
    n = serializers.IntegerField()
    baseline_mean = serializers.FloatField(allow_null=True)
    candidate_mean = serializers.FloatField(allow_null=True)
    baseline_median = serializers.FloatField(allow_null=True)
    candidate_median = serializers.FloatField(allow_null=True)
    baseline_total = serializers.FloatField(allow_null=True)
    candidate_total = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)


class UnpairedSerializer(serializers.Serializer[Any]):
    """Examples that cannot be paired: their content changed, or only one of the runs has them."""

    changed = serializers.IntegerField()
    only_baseline = serializers.IntegerField()
    only_candidate = serializers.IntegerField()


class ComparedCandidateSerializer(serializers.Serializer[Any]):
    run = serializers.UUIDField()
    metrics = ComparedMetricSerializer(many=True)
    latency = MeasuredSerializer(allow_null=True)
    cost = MeasuredSerializer(allow_null=True)
    unpaired = UnpairedSerializer(allow_null=True)


class ComparisonSerializer(serializers.Serializer[Any]):
    """`status` is pending while a run goes on or a worker computes; the metrics come with ready."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    status_reason = serializers.CharField(allow_null=True)
    baseline = serializers.UUIDField()
    primary_metric = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    candidates = ComparedCandidateSerializer(many=True)


class PartSerializer(serializers.Serializer[Any]):
    """A part of a comparison's figures; what it says comes with ready."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=STATUSES)
    status_reason = serializers.CharField(allow_null=True)
    baseline = serializers.UUIDField()


class SliceGroupSerializer(serializers.Serializer[Any]):
    """`value` null: the rarest values together; "": the examples that have none."""

    value = serializers.CharField(allow_blank=True, allow_null=True)
    n = serializers.IntegerField()


class SliceSerializer(SliceGroupSerializer):
    """One metric on the examples of a slice; `p_adjusted` is corrected for the number of slices."""

    baseline_mean = serializers.FloatField(allow_null=True)
    candidate_mean = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)
    p_value = serializers.FloatField(allow_null=True)
    p_adjusted = serializers.FloatField(allow_null=True)
    wins = serializers.IntegerField()
    ties = serializers.IntegerField()
    losses = serializers.IntegerField()
    test = serializers.CharField(allow_blank=True)
    detail = serializers.CharField()
    worse = serializers.BooleanField()


class SlicedMetricSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    groups = SliceSerializer(many=True)


class SlicedCandidateSerializer(serializers.Serializer[Any]):
    run = serializers.UUIDField()
    metrics = SlicedMetricSerializer(many=True)


class SlicesSerializer(PartSerializer):
    column = serializers.CharField()
    groups = SliceGroupSerializer(many=True)
    candidates = SlicedCandidateSerializer(many=True)


class StrengthSerializer(serializers.Serializer[Any]):
    """The share that a run wins against one of average strength (Bradley–Terry)."""

    run = serializers.UUIDField()
    strength = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class StrengthsSerializer(serializers.Serializer[Any]):
    human = StrengthSerializer(many=True)
    judge = StrengthSerializer(many=True)


class PreferredPairSerializer(serializers.Serializer[Any]):
    """A candidate against the baseline by votes. `first_shown_rate`: how often what was shown first won."""

    candidate = serializers.UUIDField()
    source = serializers.ChoiceField(choices=["human", "judge"])  # type: ignore[assignment]
    votes = serializers.IntegerField()
    raters = serializers.IntegerField()
    examples = serializers.IntegerField()
    wins = serializers.IntegerField()
    ties = serializers.IntegerField()
    losses = serializers.IntegerField()
    win_rate = serializers.FloatField()
    ci_low = serializers.FloatField()
    ci_high = serializers.FloatField()
    p_value = serializers.FloatField()
    p_adjusted = serializers.FloatField()
    first_shown_rate = serializers.FloatField(allow_null=True)
    first_low = serializers.FloatField(allow_null=True)
    first_high = serializers.FloatField(allow_null=True)
    flipped = serializers.FloatField(allow_null=True)


class PreferencesSerializer(PartSerializer):
    systems = StrengthsSerializer()
    pairs = PreferredPairSerializer(many=True)
