"""How far annotators, and judges, agree with each other: what is kept of it, and when it is out of date."""

from __future__ import annotations

from django.db import models

from apps.evaluations.models import EvaluatorVersion
from apps.feedback.models.queues import AnnotationQueue


class AnnotationChange(models.Model):
    """Something that counts in a queue's figures has changed: written by the database, taken away by the
    worker that makes the figures, all but the newest.

    A row of its own, not a counter, so that nobody who submits waits for anybody else.
    """

    id = models.BigAutoField(primary_key=True)
    queue = models.ForeignKey(
        AnnotationQueue, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )

    class Meta:
        indexes = (models.Index(fields=("queue", "-id"), name="annotation_change_newest"),)

    def __str__(self) -> str:
        return f"change {self.pk}"


class KeptFigures(models.Model):
    """Figures that a worker made, and of what; None until they are made, `error` says why they are not."""

    figures = models.JSONField(null=True)
    error = models.TextField(blank=True)
    made_of = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField(null=True)
    #: When a worker was last asked for them; None when nobody waits.
    asked_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class QueueFigures(KeptFigures):
    """Agreement, annotators and ranking of a queue."""

    queue = models.OneToOneField(
        AnnotationQueue, primary_key=True, on_delete=models.CASCADE, related_name="agreement"
    )

    def __str__(self) -> str:
        return f"agreement of {self.queue_id}"


class JudgeFigures(KeptFigures):
    """One metric of one evaluator version against what people say; `asked` is the metric of people's ratings
    that was chosen for it ("" where it is found by itself).
    """

    id = models.BigAutoField(primary_key=True)
    evaluator_version = models.ForeignKey(
        EvaluatorVersion, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    metric = models.CharField(max_length=120)
    asked = models.CharField(max_length=120, blank=True, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("evaluator_version", "metric", "asked"), name="one_check_of_a_judge"
            ),
        )

    def __str__(self) -> str:
        return f"{self.metric} of {self.evaluator_version_id}"
