"""Comparisons of runs, the figures that workers make of them, and what people say of their rows."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.models import AuthoredModel, ProjectRow, UuidModel
from apps.datasets.models import Example
from apps.evaluations.models.runs import EvalRun


class Comparison(ProjectRow, AuthoredModel):
    """A baseline run and its candidates over one dataset. What is measured of them lies in its figures."""

    number = models.PositiveIntegerField()
    name = models.CharField(max_length=200, blank=True)
    baseline = models.ForeignKey(EvalRun, on_delete=models.PROTECT, related_name="+")
    candidate_ids = ArrayField(models.UUIDField(), size=9)
    candidates = models.ManyToManyField(EvalRun, related_name="+")
    primary_metric = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "number"), name="comparison_number_once"),)
        indexes = (models.Index(fields=("project", "-id"), name="comparison_by_project"),)

    def __str__(self) -> str:
        return self.name


class ComparisonFigures(models.Model):
    """One part of what a comparison says, made by a worker and kept until what it was made of changes.

    `baseline` is one of the comparison's runs, all others are measured against it. `column` names the
    metadata column that a part hangs on: what to slice by, or what the examples come in groups of.
    """

    class Part(models.TextChoices):
        METRICS = "metrics"
        DISTRIBUTIONS = "distributions"
        SLICES = "slices"
        PREFERENCES = "preferences"

    id = models.BigAutoField(primary_key=True)
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="figures")
    baseline = models.ForeignKey(EvalRun, on_delete=models.CASCADE, related_name="+")
    part = models.CharField(max_length=13, choices=Part.choices)
    column = models.CharField(max_length=200, blank=True, default="")
    #: None until they are made; `error` says why they could not be.
    figures = models.JSONField(null=True)
    error = models.TextField(blank=True)
    #: The state of runs, scores and votes that they were made of.
    made_of = models.CharField(max_length=64, blank=True)
    made_at = models.DateTimeField(null=True)
    #: When a worker was last asked for them; None when nobody waits.
    asked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("comparison", "baseline", "part", "column"), name="one_of_each_part"
            ),
        )

    def __str__(self) -> str:
        return f"{self.part} of {self.comparison_id}"


class RowComment(UuidModel, AuthoredModel):
    """What somebody wrote on an example of a comparison."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="comments")
    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="+")
    text = models.TextField()

    class Meta:
        indexes = (models.Index(fields=("comparison", "example", "id"), name="comment_by_row"),)

    def __str__(self) -> str:
        return self.text[:60]
