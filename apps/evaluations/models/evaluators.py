"""Evaluators and their immutable versions."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.core.models import AuthoredModel, ProjectRow, UuidModel


class Evaluator(ProjectRow, AuthoredModel):
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=40)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "slug"), name="evaluator_slug_once"),
            models.UniqueConstraint(
                fields=("project", "name"), condition=Q(archived_at=None), name="evaluator_name_once"
            ),
        )

    def __str__(self) -> str:
        return self.name


class EvaluatorVersion(UuidModel, AuthoredModel):
    """An evaluator's settings at one time. Immutable: the database refuses an update."""

    evaluator = models.ForeignKey(Evaluator, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    config = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("evaluator", "number"), name="evaluator_version_number_once"),
        )

    def __str__(self) -> str:
        return f"{self.evaluator} v{self.number}"


class EvaluatorSecret(models.Model):
    """A secret setting of an evaluator, encrypted. It has no versions: the newest holds for all of them."""

    evaluator = models.ForeignKey(Evaluator, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=60)
    token = models.TextField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("evaluator", "name"), name="evaluator_secret_once"),)

    def __str__(self) -> str:
        return self.name
