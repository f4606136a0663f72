"""Datasets made of people's judgements, and which judgement each row came from."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

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
        FREEZING = "freezing"
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
    #: What the work on it has come to: {"stage": "gathering", "done": 12000}.
    progress = models.JSONField(default=dict)
    #: Where the rows go when they are frozen: {"dataset": slug} or {"name": of a new one}, and a note.
    target = models.JSONField(default=dict)
    #: Two sets of the same rows share a version: nothing changed between them.
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, on_delete=models.RESTRICT, related_name="+"
    )
    #: Counts the claims: whoever holds an older number may write no more.
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "number"), name="training_set_number_once"),
        )
        indexes = (
            models.Index(fields=("project", "-id"), name="training_set_by_project"),
            models.Index(
                fields=("lease_until",),
                name="training_set_at_work",
                condition=Q(status__in=("pending", "running", "freezing")),
            ),
        )

    def __str__(self) -> str:
        return self.name


class TrainingRow(models.Model):
    """One row of a set that is not frozen yet, or one that was left out, and why.

    `answer` is the completion, or the chosen answer of a pair; `rejected` the other one of a pair.
    """

    class MadeFrom(models.TextChoices):
        APPROVAL = "approval"
        CORRECTION = "correction"
        VOTE = "vote"

    id = models.BigAutoField(primary_key=True)
    training_set = models.ForeignKey(TrainingSet, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    made_from = models.CharField(max_length=10, choices=MadeFrom.choices)
    #: Why it is no row of the set; empty for those that are.
    left_out = models.CharField(max_length=20, blank=True, default="")
    #: Raters did not all say the same.
    contested = models.BooleanField(default=False)
    prompt = models.JSONField(default=list)
    answer = models.TextField(blank=True)
    rejected = models.TextField(blank=True)
    label = models.BooleanField(null=True)
    #: {"prompt": slug, "version": number, "model": name}, as far as known.
    origin = models.JSONField(default=dict)
    split = models.CharField(max_length=10, blank=True)
    tokens = models.PositiveIntegerField(default=0)
    prompt_hash = models.CharField(max_length=64)
    inputs_hash = models.CharField(max_length=64, blank=True)
    question_hash = models.CharField(max_length=64, blank=True)
    content_hash = models.CharField(max_length=64)
    near_hash = models.CharField(max_length=64)
    #: The slug of an evaluation dataset that asks the same.
    overlaps = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("training_set", "key"), name="training_row_once"),)
        indexes = (
            models.Index(fields=("training_set", "left_out", "id"), name="training_row_shown"),
            models.Index(fields=("training_set", "inputs_hash"), name="training_row_by_inputs"),
            models.Index(fields=("training_set", "question_hash"), name="training_row_by_question"),
        )

    def __str__(self) -> str:
        return self.key


class TrainingSource(models.Model):
    """One judgement that a row of a training set came from; it outlives the judgement, so points at none."""

    class Kind(models.TextChoices):
        FEEDBACK = "feedback"
        ANNOTATION = "annotation"
        VOTE = "vote"

    #: The person of a judgement whose owner was erased.
    ERASED = "erased"

    id = models.BigAutoField(primary_key=True)
    training_set = models.ForeignKey(
        TrainingSet, on_delete=models.CASCADE, related_name="sources", db_index=False
    )
    example_key = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    source_id = models.CharField(max_length=40)
    #: The subject of feedback, the rater of the others.
    person = models.CharField(max_length=120)
    #: "up", "down", "middle", "first", "second", "tie", "bad" or "correction".
    says = models.CharField(max_length=10, default="")
    #: An adjudicator's word, which goes before all others.
    settles = models.BooleanField(default=False)
    #: False where the row was left out, or another judgement of the same person or of an adjudicator counts.
    counted = models.BooleanField(default=True)

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
