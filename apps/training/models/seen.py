"""What is seen of a job while it trains."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from apps.training.models.jobs import FineTuningJob


class MetricPoint(models.Model):
    """Figures of one step. A step that is trained again after a restart replaces the earlier one."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(FineTuningJob, on_delete=models.CASCADE, related_name="points")
    trial = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    #: As TRL logs them, and our own: loss, eval_loss, learning_rate, grad_norm, rewards/margins …,
    #: tokens_per_second, memory_bytes.
    values = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "trial", "step"), name="metric_point_once"),)

    def __str__(self) -> str:
        return f"{self.job_id} {self.step}"


class LogLine(models.Model):
    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(FineTuningJob, on_delete=models.CASCADE, related_name="log_lines", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=8, default="info")
    text = models.TextField()

    class Meta:
        indexes = (models.Index(fields=("job", "-id"), name="log_line_newest"),)

    def __str__(self) -> str:
        return self.text[:60]


class SampleOutput(models.Model):
    """What the model in training answered to one of the fixed prompts; step 0 is the base."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(FineTuningJob, on_delete=models.CASCADE, related_name="samples")
    step = models.PositiveIntegerField()
    place = models.PositiveSmallIntegerField()
    output = models.TextField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "step", "place"), name="sample_output_once"),)

    def __str__(self) -> str:
        return self.output[:60]
