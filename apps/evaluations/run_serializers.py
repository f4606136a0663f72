"""Runs and their results as REST shows and takes them."""

from __future__ import annotations

import math
from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.evaluations.budget_services import MOST_TOKENS
from apps.evaluations.models import EvalItem, EvalRun
from apps.evaluations.run_services import MOST_REPETITIONS

STATUSES = [str(status) for status in EvalRun.Status]


class RunCreateSerializer(serializers.Serializer[Any]):
    """What makes a run. `prompt_version` and `dataset_version` default to the newest."""

    name = SafeCharField(max_length=200, required=False, default="")
    dataset = SafeCharField(max_length=80)
    dataset_version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    prompt = SafeCharField(max_length=80, required=False)
    prompt_version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    model = SafeCharField(max_length=300, required=False, default="")
    evaluators = serializers.ListField(child=SafeCharField(max_length=80), required=False, max_length=50)
    repetitions = serializers.IntegerField(required=False, default=1, min_value=1, max_value=MOST_REPETITIONS)
    max_concurrency = serializers.IntegerField(required=False, min_value=1, max_value=512)
    budget_usd = serializers.DecimalField(max_digits=12, decimal_places=6, required=False, min_value=0)
    budget_tokens = serializers.IntegerField(required=False, min_value=0, max_value=MOST_TOKENS)
    use_cache = serializers.BooleanField(
        required=False, default=False, help_text="Take answers that are known already from the cache."
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    split = SafeCharField(max_length=40, required=False, default="", allow_blank=True)
    filter = serializers.DictField(child=SafeJSONField(), required=False)
    seed = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    recorded = serializers.BooleanField(required=False, default=False)
    output_column = SafeCharField(
        max_length=200,
        required=False,
        default="",
        help_text="Take the outputs from this column of the dataset instead of asking a model.",
    )

    primary_metric = SafeCharField(
        max_length=120,
        required=False,
        default="",
        allow_blank=True,
        help_text="The metric that decides, chosen before the run: one of the evaluators' metrics.",
    )

    def validate_filter(self, value: dict[str, Any]) -> dict[str, Any]:
        if any("\x00" in name for name in value):
            raise serializers.ValidationError("NUL characters are not allowed.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        recorded = attrs["recorded"] or bool(attrs["output_column"])
        if recorded and attrs["model"]:
            raise serializers.ValidationError(
                {"recorded": "Outputs made elsewhere come from no model here: name none. A prompt may be."}
            )
        if not recorded and not attrs.get("prompt"):
            raise serializers.ValidationError({"prompt": "Name the prompt to run, or set recorded."})
        return attrs


class ResumeSerializer(serializers.Serializer[Any]):
    """With `budget_usd` or `budget_tokens`, the run goes on under that budget."""

    budget_usd = serializers.DecimalField(max_digits=12, decimal_places=6, required=False, min_value=0)
    budget_tokens = serializers.IntegerField(required=False, min_value=0, max_value=MOST_TOKENS)


class CountsSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    pending = serializers.IntegerField()


class UsageSerializer(serializers.Serializer[Any]):
    """Sums over the items; `cost_usd` is null where no price is known."""

    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost_usd = serializers.CharField(allow_null=True)
    judge_cost_usd = serializers.CharField()
    cached = serializers.IntegerField(help_text="Answers taken from the cache: no call, no cost.")


class RunMetricSerializer(serializers.Serializer[Any]):
    """A metric's mean over the examples that have a score, with its 95% interval."""

    name = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    n = serializers.IntegerField()
    missing = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    ci_low = serializers.FloatField(allow_null=True)
    ci_high = serializers.FloatField(allow_null=True)
    spread = serializers.FloatField(
        allow_null=True, help_text="Standard deviation between an example's repetitions, averaged."
    )
    detail = SafeJSONField(help_text="What a figure of the whole run comes with: signature, confusion, …")


class BudgetSerializer(serializers.Serializer[Any]):
    """What the run may use, and what is left of it; null for no limit."""

    usd = serializers.CharField(allow_null=True)
    tokens = serializers.IntegerField(allow_null=True)
    spent_usd = serializers.CharField(help_text="Calls made again count again.")
    spent_tokens = serializers.IntegerField()
    left_usd = serializers.CharField(allow_null=True)
    left_tokens = serializers.IntegerField(allow_null=True)


class RunSerializer(serializers.Serializer[Any]):
    """A run; `metrics` is empty until the run has ended."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)
    status_reason = serializers.CharField(allow_null=True)
    dataset = serializers.CharField()
    dataset_version = serializers.IntegerField()
    prompt = serializers.CharField(allow_null=True)
    prompt_version = serializers.IntegerField(allow_null=True)
    model = serializers.CharField(allow_null=True)
    recorded = serializers.BooleanField()
    repetitions = serializers.IntegerField()
    seed = serializers.IntegerField(
        allow_null=True, help_text="Of the first repetition; each later one has the next number."
    )
    max_concurrency = serializers.IntegerField()
    use_cache = serializers.BooleanField()
    primary_metric = serializers.CharField(
        allow_null=True, help_text="The metric that decides, where one was chosen before the run."
    )
    rerun_of = serializers.UUIDField(allow_null=True, help_text="The run whose plan this one has.")
    budget = BudgetSerializer()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    finalized = serializers.BooleanField()
    counts = CountsSerializer()
    usage = UsageSerializer()
    metrics = RunMetricSerializer(many=True)


class ResultExampleSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    inputs = serializers.JSONField()
    reference = serializers.JSONField(allow_null=True)
    metadata = serializers.JSONField()
    split = serializers.CharField()


class ResultScoreSerializer(serializers.Serializer[Any]):
    """One score; `value` is null where it could not be scored, and `detail` says why."""

    metric = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name
    detail = serializers.CharField()


class ResultUsageSerializer(serializers.Serializer[Any]):
    input_tokens = serializers.IntegerField(allow_null=True)
    output_tokens = serializers.IntegerField(allow_null=True)
    cost_usd = serializers.CharField(allow_null=True)


class ResultSerializer(serializers.Serializer[Any]):
    """One item of a run."""

    id = serializers.UUIDField()
    example = ResultExampleSerializer()
    repetition = serializers.IntegerField()
    status = serializers.ChoiceField(choices=[str(status) for status in EvalItem.Status])
    output = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    finish_reason = serializers.CharField(allow_null=True)
    attempts = serializers.IntegerField()
    scores = ResultScoreSerializer(many=True)
    latency_ms = serializers.FloatField(allow_null=True)
    usage = ResultUsageSerializer()


#: A sum of squares of so large scores, and of so long times, is still a number, however many there are.
LARGEST_SCORE = 1e30
LONGEST_MS = 1e12


def _has_half_characters(text: str) -> bool:
    """Whether it holds half of a surrogate pair, which the database keeps in no text."""
    return any("\ud800" <= character <= "\udfff" for character in text)


class RecordedResultSerializer(serializers.Serializer[Any]):
    """An output made elsewhere, or the error that came instead."""

    key = SafeCharField(max_length=200)
    repetition = serializers.IntegerField(required=False, default=1, min_value=1, max_value=MOST_REPETITIONS)
    output = SafeCharField(
        required=False,
        default=None,
        allow_null=True,
        allow_blank=True,
        trim_whitespace=False,
        max_length=1_000_000,
    )
    scores = serializers.DictField(child=serializers.FloatField(), required=False)
    error = SafeCharField(required=False, default="", allow_blank=True, max_length=10_000)
    latency_ms = serializers.FloatField(
        required=False, allow_null=True, min_value=0, max_value=LONGEST_MS, default=None
    )
    cost_usd = serializers.DecimalField(
        max_digits=16, decimal_places=9, required=False, allow_null=True, min_value=0, default=None
    )

    def validate_scores(self, value: dict[str, float]) -> dict[str, float]:
        for name, number in value.items():
            if "\x00" in name or not 0 < len(name) <= 120:
                raise serializers.ValidationError("A metric's name has 1 to 120 characters, and no NUL.")
            if _has_half_characters(name):
                raise serializers.ValidationError("Half of a surrogate pair is not a character.")
            if not math.isfinite(number):
                raise serializers.ValidationError(f"The score {name} is not a finite number.")
            if abs(number) > LARGEST_SCORE:
                raise serializers.ValidationError(
                    f"The score {name} is too large: at most {LARGEST_SCORE:g} either way."
                )
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("output") is None and not attrs["error"]:
            raise serializers.ValidationError({"output": "Give an output, or the error that came instead."})
        return attrs


class RecordedAnswerSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField()
