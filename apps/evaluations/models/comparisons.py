"""Comparisons of runs."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.models import AuthoredModel, ProjectRow
from apps.evaluations.models.runs import EvalRun


class Comparison(ProjectRow, AuthoredModel):
    """A baseline run and its candidates over one dataset, with the statistics that a worker made of them."""

    number = models.PositiveIntegerField()
    name = models.CharField(max_length=200, blank=True)
    baseline = models.ForeignKey(EvalRun, on_delete=models.PROTECT, related_name="+")
    candidate_ids = ArrayField(models.UUIDField(), size=9)
    candidates = models.ManyToManyField(EvalRun, related_name="+")
    primary_metric = models.CharField(max_length=120, blank=True)
    #: Statistics per candidate and metric, and the state of the runs they were made from.
    result = models.JSONField(null=True)
    result_made_of = models.CharField(max_length=64, blank=True)
    result_at = models.DateTimeField(null=True)
    result_error = models.TextField(blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "number"), name="comparison_number_once"),)
        indexes = (models.Index(fields=("project", "-id"), name="comparison_by_project"),)

    def __str__(self) -> str:
        return self.name
