"""What pages of feedback read in place of a million votes, kept by the database; and embeddings."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from pgvector.django import HnswIndex, VectorField

from apps.core.models import Project
from apps.prompts.models import Prompt, PromptVersion
from apps.traces.models import Span

#: Of all-MiniLM-L6-v2: apps.providers.embeddings.
DIMENSIONS = 384


class FeedbackTally(models.Model):
    """Counts of the feedback that was not withdrawn, by version, reason and day (UTC) that it first came.

    Kept by triggers on feedback, exactly. Four rows stand side by side, by the last digit of a span's
    id, so that votes need not wait for each other: readers add them up.
    """

    id = models.BigAutoField(primary_key=True)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    prompt = models.ForeignKey(Prompt, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    prompt_version = models.ForeignKey(
        PromptVersion, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    reason = models.CharField(max_length=60)
    day = models.DateField()
    shard = models.PositiveSmallIntegerField()
    n = models.IntegerField(default=0)
    ups = models.IntegerField(default=0)
    downs = models.IntegerField(default=0)
    corrections = models.IntegerField(default=0)
    comments = models.IntegerField(default=0)
    pending = models.IntegerField(default=0)
    flagged = models.IntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "prompt", "prompt_version", "reason", "day", "shard"),
                name="one_feedback_tally_per_day",
                nulls_distinct=False,
            ),
        )
        indexes = (models.Index(fields=("project", "day"), name="feedback_tally_by_day"),)

    def __str__(self) -> str:
        return f"{self.ups} up, {self.downs} down on {self.day}"


class AnswerTally(models.Model):
    """Thumbs of one answer, kept by triggers on feedback.

    `badness` is the lower end of Wilson's 95% interval of the share of thumbs down: five of five come before
    one of one, and an answer that nobody disliked has 0.
    """

    span = models.OneToOneField(Span, primary_key=True, on_delete=models.CASCADE, related_name="answer_tally")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    prompt = models.ForeignKey(Prompt, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    prompt_version = models.ForeignKey(
        PromptVersion, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    ups = models.IntegerField(default=0)
    downs = models.IntegerField(default=0)
    badness = models.FloatField(default=0)

    class Meta:
        indexes = (
            models.Index(
                fields=("project", "-badness", "-span"), name="answer_worst", condition=Q(downs__gt=0)
            ),
            models.Index(
                fields=("prompt", "-badness", "-span"),
                name="answer_worst_of_prompt",
                condition=Q(downs__gt=0),
            ),
            models.Index(
                fields=("prompt_version", "-badness", "-span"),
                name="answer_worst_of_version",
                condition=Q(downs__gt=0),
            ),
        )

    def __str__(self) -> str:
        return f"{self.ups} up, {self.downs} down"


class SpanEmbedding(models.Model):
    """What a disliked or corrected answer was asked, as a vector of length 1.

    The database adds the row with the first thumb down or correction; `vector` is null until a worker has
    made it. Votes that are withdrawn later leave the row: who reads asks for the votes of today.
    """

    span = models.OneToOneField(Span, primary_key=True, on_delete=models.CASCADE, related_name="embedding")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    prompt = models.ForeignKey(Prompt, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    vector = VectorField(dimensions=DIMENSIONS, null=True)

    class Meta:
        indexes = (
            models.Index(fields=("span",), name="embedding_to_make", condition=Q(vector=None)),
            models.Index(fields=("prompt", "-span"), name="embedding_by_prompt"),
            HnswIndex(
                fields=("vector",),
                name="embedding_nearest",
                m=16,
                ef_construction=64,
                opclasses=("vector_cosine_ops",),
            ),
        )

    def __str__(self) -> str:
        return f"embedding of span {self.span_id}"
