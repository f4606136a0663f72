"""Answers kept to be given again."""

from __future__ import annotations

from django.db import models

from apps.core.models import Project


class CachedResponse(models.Model):
    """A model's answer under the key of everything that shaped it. Errors are never kept."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    #: SHA-256 of provider, model, rendered messages, parameters, tools, response schema and repetition.
    key = models.BinaryField(max_length=32)
    response = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)
    hits = models.PositiveIntegerField(default=0)
    last_hit_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "key"), name="cached_response_once"),)
        indexes = (models.Index(fields=("created_at",), name="cached_response_by_age"),)

    def __str__(self) -> str:
        return f"answer kept at {self.created_at:%Y-%m-%d %H:%M}"
