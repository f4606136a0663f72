"""JSON of drafts: what a job is asked to be, what its checks found, what it takes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField, SafeJSONField
from apps.training.models import FineTuningJob
from apps.training.planning.estimates import Estimate
from apps.training.planning.presets import PRESETS
from apps.training.planning.setting import Setting
from apps.training.planning.sweeps import OBJECTIVES

_MOST = 2**31 - 1


class FineTuningBaseSerializer(serializers.Serializer[Any]):
    """The embedded model, a folder of base models, a registered version, or a provider's model."""

    kind = serializers.ChoiceField(choices=["embedded", "folder", "version", "hosted"])
    name = SafeCharField(required=False, max_length=200, help_text="Of a folder.")
    id = serializers.UUIDField(required=False, help_text="Of a registered version.")
    provider = SafeCharField(required=False, max_length=80, help_text="Slug of the provider that trains.")
    model = SafeCharField(required=False, max_length=200, help_text="As the provider calls it.")


class FineTuningSweepSerializer(serializers.Serializer[Any]):
    trials = serializers.IntegerField(required=False, min_value=2, max_value=50, default=6)
    steps = serializers.IntegerField(required=False, min_value=1, max_value=100_000, default=40)
    objective = serializers.ChoiceField(required=False, choices=list(OBJECTIVES), default="eval_loss")
    space = serializers.DictField(
        child=serializers.ListField(
            child=serializers.FloatField(min_value=0, max_value=1e9), min_length=2, max_length=2
        ),
        help_text='What varies, from and to: {"learning_rate": [0.00001, 0.001]}.',
    )


class FineTuningEvaluationSerializer(serializers.Serializer[Any]):
    """What the model and its base are measured on when it is made."""

    dataset_version = serializers.UUIDField(help_text="Id of a version of a held-out dataset.")
    split = SafeCharField(required=False, allow_blank=True, max_length=100)
    limit = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=10_000_000)
    prompt_version = serializers.UUIDField(help_text="Id of the version that both models answer.")
    evaluators = serializers.ListField(child=SafeCharField(max_length=80), min_length=1, max_length=50)
    primary_metric = SafeCharField(required=False, allow_blank=True, max_length=200)
    slice = SafeCharField(required=False, allow_blank=True, max_length=200)


class _PlanSerializer(serializers.Serializer[Any]):
    technique = serializers.ChoiceField(
        required=False, choices=FineTuningJob.Technique.choices, help_text="An adapter where it is left out."
    )
    preset = serializers.ChoiceField(required=False, choices=list(PRESETS))
    settings = serializers.DictField(
        required=False,
        child=SafeJSONField(),
        help_text="By name, before those of the preset; GET /fine-tuning-settings/ lists them.",
    )
    sweep = FineTuningSweepSerializer(required=False, allow_null=True, help_text="null: none.")
    evaluation = FineTuningEvaluationSerializer(required=False, allow_null=True, help_text="null: none.")
    sample_prompts = serializers.ListField(
        required=False,
        max_length=8,
        child=SafeJSONField(help_text="A text, or a list of messages."),
        help_text="Answered at each checkpoint; a few of the data's where it is left out.",
    )
    seed = serializers.IntegerField(required=False, min_value=0, max_value=_MOST)


class FineTuningJobCreateSerializer(_PlanSerializer):
    name = SafeCharField(max_length=80, help_text="The model is registered by it.")
    base = FineTuningBaseSerializer()
    method = serializers.ChoiceField(
        required=False, choices=FineTuningJob.Method.choices, help_text="That of the rows, if left out."
    )
    training_set = serializers.IntegerField(
        required=False, min_value=1, max_value=_MOST, help_text="Number of a frozen training set; or:"
    )
    dataset_version = serializers.UUIDField(required=False, help_text="Id of a version of any dataset.")
    prompt_version = serializers.UUIDField(
        required=False, help_text="Id of what makes conversations of the rows of a plain dataset."
    )
    start = serializers.BooleanField(
        required=False, default=False, help_text="Start it as soon as its checks are through."
    )


class FineTuningJobUpdateSerializer(_PlanSerializer):
    name = SafeCharField(required=False, max_length=80)
    base = FineTuningBaseSerializer(required=False)


class FineTuningEstimateSerializer(serializers.Serializer[Estimate]):
    worker = serializers.CharField()
    device = serializers.CharField()
    on_gpu = serializers.BooleanField()
    steps = serializers.IntegerField()
    seconds = serializers.FloatField()
    low_s = serializers.FloatField(help_text="It is likely to take from so many seconds …")
    high_s = serializers.FloatField(help_text="… to so many.")
    memory_bytes = serializers.IntegerField()
    memory_there = serializers.IntegerField()
    fits = serializers.BooleanField()
    disk_bytes = serializers.IntegerField(help_text="At most, with the copies in the file store.")
    disk_there = serializers.IntegerField()
    dtype = serializers.CharField(source="choice.dtype")
    gradient_checkpointing = serializers.BooleanField(source="choice.checkpointing")
    four_bit = serializers.BooleanField(source="choice.four_bit")


class FineTuningProblemSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    weight = serializers.ChoiceField(choices=["blocks", "warns"])
    text = serializers.CharField()
    advice = serializers.CharField()


class FineTuningPlanSerializer(serializers.Serializer[Any]):
    """What the checks of a draft found, and what it takes on each worker that could train it."""

    state = serializers.ChoiceField(choices=["pending", "running", "done", "failed"])
    reason = serializers.CharField(help_text="Why the checks failed.")
    problems = FineTuningProblemSerializer(many=True)
    counts = serializers.JSONField(help_text="Rows, labels, duplicates, truncated rows …")
    lengths = serializers.JSONField(help_text="In tokens.")
    rows = serializers.JSONField(help_text='Rendered rows: spans of text, each "read", "trained" or "cut".')
    estimates = FineTuningEstimateSerializer(many=True)


class FineTuningSettingSerializer(serializers.Serializer[Setting]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # not the field's own label
    kind = serializers.ChoiceField(choices=["float", "integer", "choice"])
    default_value = serializers.CharField(source="default", help_text="Presets differ.")
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    safe_low = serializers.FloatField(allow_null=True, help_text="Usually not below.")
    safe_high = serializers.FloatField(allow_null=True, help_text="Usually not above.")
    choices = serializers.SerializerMethodField()
    methods = serializers.ListField(child=serializers.CharField())
    techniques = serializers.ListField(child=serializers.CharField())
    explanation = serializers.CharField()

    def get_choices(self, setting: Setting) -> list[str]:
        return [name for name, _ in setting.choices]
