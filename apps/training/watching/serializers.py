"""JSON of jobs and of what is seen of them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.core.api import SafeCharField
from apps.training.models import Checkpoint, FineTuningJob, LogLine, MetricPoint, ModelVersion, SampleOutput


class ModelVersionNameSerializer(serializers.Serializer[ModelVersion]):
    """A version of the registry, by name and number."""

    name = serializers.CharField()
    number = serializers.IntegerField()
    full_name = serializers.CharField(help_text="What prompts and runs call it, at its provider.")


class FineTuningJobSerializer(serializers.Serializer[FineTuningJob]):
    number = serializers.IntegerField()
    name = serializers.CharField()
    method = serializers.ChoiceField(choices=FineTuningJob.Method.choices)
    technique = serializers.ChoiceField(choices=FineTuningJob.Technique.choices)
    status = serializers.ChoiceField(choices=FineTuningJob.Status.choices)
    status_reason = serializers.CharField(help_text="In plain words: why it failed or waits, what to do.")
    failure = serializers.JSONField(help_text='{} or {"kind", "advice": […], "usable"}.')
    base = serializers.JSONField()
    base_version = ModelVersionNameSerializer(allow_null=True)
    training_set = serializers.SerializerMethodField(help_text="Number of the training set, if it is one.")
    dataset = serializers.CharField(source="dataset_version.dataset.slug")
    dataset_version = serializers.IntegerField(source="dataset_version.number")
    preset = serializers.CharField()
    settings = serializers.JSONField()
    sweep = serializers.JSONField()
    evaluation = serializers.JSONField()
    seed = serializers.IntegerField()
    data_hash = serializers.CharField()
    environment = serializers.JSONField(help_text="Packages, code commit, hardware, device and dtype.")
    progress = serializers.JSONField(help_text='{"stage", "step", "steps", "epoch", "seconds_left", …}.')
    stop_requested = serializers.ChoiceField(choices=["", "keep", "cancel"])
    attempt = serializers.IntegerField(help_text="How often a worker has taken it up.")
    worker = serializers.CharField()
    trained_s = serializers.FloatField(help_text="Seconds of training in all attempts.")
    cost_usd = serializers.DecimalField(max_digits=14, decimal_places=6, allow_null=True)
    version = ModelVersionNameSerializer(allow_null=True, help_text="What was registered of it.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_training_set(self, job: FineTuningJob) -> int | None:
        return job.training_set.number if job.training_set else None


class MetricPointSerializer(serializers.Serializer[MetricPoint]):
    step = serializers.IntegerField()
    attempt = serializers.IntegerField()
    values = serializers.DictField(
        child=serializers.FloatField(allow_null=True),
        help_text="Figures by name: loss, eval_loss, learning_rate, grad_norm, rewards/margins …",
    )
    at = serializers.DateTimeField()

    def to_representation(self, point: MetricPoint) -> dict[str, Any]:
        return {"step": point.step, "attempt": point.attempt, "values": point.values, "at": point.at}


class LogLineSerializer(serializers.Serializer[LogLine]):
    at = serializers.DateTimeField()
    level = serializers.CharField()
    text = serializers.CharField()


class SampleOutputSerializer(serializers.Serializer[SampleOutput]):
    step = serializers.IntegerField(help_text="0: the base.")
    place = serializers.IntegerField(help_text="Which of the job's fixed prompts, from 0.")
    output = serializers.CharField()


class CheckpointSerializer(serializers.Serializer[Checkpoint]):
    id = serializers.UUIDField()
    trial = serializers.IntegerField(help_text="0: of the training itself, else of a try of its sweep.")
    step = serializers.IntegerField()
    metrics = serializers.JSONField()
    size_bytes = serializers.IntegerField()
    is_best = serializers.BooleanField()
    pruned_at = serializers.DateTimeField(allow_null=True, help_text="Its files were removed to save room.")
    created_at = serializers.DateTimeField()


class FineTuningStopSerializer(serializers.Serializer[Any]):
    keep = serializers.BooleanField(
        default=True, help_text="Save and register what it has; else it is cancelled and nothing registered."
    )


class FineTuningTrialSerializer(serializers.Serializer[Any]):
    """One try of a sweep."""

    number = serializers.IntegerField()
    chosen = serializers.JSONField()
    state = SafeCharField()
    value = serializers.FloatField(allow_null=True)
    reason = serializers.CharField()
    seconds = serializers.FloatField()
