"""Datasets made of people's judgements, and which judgement each row came from."""

from __future__ import annotations

from django.db import models

from apps.core.models import AuthoredModel, ProjectRow
from apps.datasets.models import DatasetVersion


class TrainingSet(ProjectRow, AuthoredModel):
    """A dataset version made from feedback, annotations and votes, for one method of training.

    Its examples hold TRL's columns: `inputs` {"prompt": [messages]}, `reference` {"completion": [messages]}
    for SFT, {"completion": [messages], "label": true | false} for KTO, {"chosen": [messages], "rejected":
    [messages]} for DPO.
    """

    class Method(models.TextChoices):
        SFT = "sft"
        KTO = "kto"
        DPO = "dpo"

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        PREVIEWED = "previewed"
        COMPLETED = "completed"
        FAILED = "failed"

    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    method = models.CharField(max_length=4, choices=Method.choices)
    #: What it is made of: sources, filters, splits, what is left out.
    settings = models.JSONField(default=dict)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    status_reason = models.TextField(blank=True)
    #: Counts, class balance, duplicates, conflicts, lengths, overlaps, and what was left out and why.
    figures = models.JSONField(default=dict)
    dataset_version = models.OneToOneField(
        DatasetVersion, null=True, on_delete=models.RESTRICT, related_name="+"
    )
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "number"), name="training_set_number_once"),
        )
        indexes = (models.Index(fields=("project", "-id"), name="training_set_by_project"),)

    def __str__(self) -> str:
        return self.name


class TrainingSource(models.Model):
    """One judgement that a row of a training set came from; it outlives the judgement, so points at none."""

    class Kind(models.TextChoices):
        FEEDBACK = "feedback"
        ANNOTATION = "annotation"
        VOTE = "vote"

    id = models.BigAutoField(primary_key=True)
    training_set = models.ForeignKey(
        TrainingSet, on_delete=models.CASCADE, related_name="sources", db_index=False
    )
    example_key = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    source_id = models.CharField(max_length=40)
    #: The subject of feedback, the rater of the others.
    person = models.CharField(max_length=120)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("training_set", "example_key", "kind", "source_id"), name="training_source_once"
            ),
        )
        indexes = (
            models.Index(fields=("person", "training_set"), name="training_source_of_person"),
            models.Index(fields=("kind", "source_id"), name="training_source_by_source"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.source_id}"
