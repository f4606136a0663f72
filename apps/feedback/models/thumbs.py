"""What end users of an application say of its answers."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q

from apps.core.models import Project, ProjectRow
from apps.prompts.models import Prompt, PromptVersion
from apps.traces.models import Span


class FeedbackSettings(models.Model):
    """How a project takes feedback. A project without a row has the defaults."""

    project = models.OneToOneField(Project, primary_key=True, on_delete=models.CASCADE, related_name="+")
    #: Web origins ("https://shop.example") whose pages may send feedback; "*" is all.
    allowed_origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    #: What a user may choose as the reason of a thumb down.
    reasons = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    token_hours = models.PositiveIntegerField(default=72)
    #: Votes that a subject, and the whole project, may give in a minute.
    subject_per_minute = models.PositiveIntegerField(default=20)
    project_per_minute = models.PositiveIntegerField(default=12_000)
    #: The same of one network address, for browsers: an application's own server sends for all its users.
    address_per_minute = models.PositiveIntegerField(default=600)
    #: Lets feedback through to training by itself: {} is never. See apps.feedback.thumbs.rules.
    rule = models.JSONField(default=dict, blank=True)
    #: What was pending when the rule was changed is gone through in pieces, in order of id: null is all done.
    rule_waits_from = models.UUIDField(null=True)

    def __str__(self) -> str:
        return f"Feedback of {self.project}"


class Feedback(ProjectRow):
    """One user's judgement of one answer: changed or withdrawn at will, never doubled.

    What the answer was is looked up here, never taken from who votes. Untrusted until `state` says that a
    person or a rule let it through.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        REJECTED = "rejected"

    class Flag(models.TextChoices):
        BURST = "burst"
        OUTLIER = "outlier"

    UP, DOWN = 1, -1

    span = models.ForeignKey(Span, on_delete=models.RESTRICT, related_name="feedback")
    prompt = models.ForeignKey(Prompt, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    prompt_version = models.ForeignKey(
        PromptVersion, null=True, on_delete=models.RESTRICT, related_name="+", db_index=False
    )
    model_name = models.CharField(max_length=200, blank=True)
    #: Who votes, as a keyed hash: the application's own name of the user is not kept.
    subject = models.CharField(max_length=64)
    thumb = models.SmallIntegerField(null=True, choices=((UP, "up"), (DOWN, "down")))
    reason = models.CharField(max_length=60, blank=True)
    comment = models.TextField(blank=True)
    correction = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    #: "user:<id>", "key:<id>" or "rule".
    decided_by = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True)
    flags = ArrayField(models.CharField(max_length=12), default=list)
    #: Of the token that it came with, and of the page that sent it.
    token_id = models.CharField(max_length=40, blank=True)
    origin = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=64, blank=True)
    revision = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    #: When bursts and outliers were last looked for; null again whenever it is changed.
    looked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("span", "subject"), name="one_feedback_per_span_and_subject"),
        )
        indexes = (
            models.Index(fields=("project", "-id"), name="feedback_by_project"),
            models.Index(fields=("project", "prompt", "-id"), name="feedback_by_prompt"),
            models.Index(fields=("prompt_version", "-id"), name="feedback_by_version"),
            models.Index(fields=("project", "subject", "-id"), name="feedback_by_subject"),
            models.Index(
                fields=("project", "-id"),
                name="feedback_down",
                condition=Q(thumb=-1, withdrawn_at=None),
            ),
            models.Index(
                fields=("project", "-id"),
                name="feedback_undecided",
                condition=Q(state="pending", withdrawn_at=None),
            ),
            models.Index(
                fields=("project", "reason", "-id"), name="feedback_by_reason", condition=~Q(reason="")
            ),
            models.Index(fields=("project", "model_name", "-id"), name="feedback_by_model"),
            models.Index(
                fields=("project", "state", "-id"), name="feedback_decided", condition=~Q(state="pending")
            ),
            models.Index(fields=("project", "-id"), name="feedback_flagged", condition=~Q(flags=[])),
            models.Index(fields=("project", "-id"), name="feedback_thumbless", condition=Q(thumb=None)),
            models.Index(
                fields=("project", "-id"), name="feedback_withdrawn", condition=Q(withdrawn_at__isnull=False)
            ),
            models.Index(fields=("project", "-id"), name="feedback_corrected", condition=~Q(correction="")),
            models.Index(fields=("project", "-id"), name="feedback_commented", condition=~Q(comment="")),
            GinIndex(
                SearchVector("comment", "correction", config="simple"),
                name="feedback_words",
                condition=~Q(comment="") | ~Q(correction=""),
            ),
            models.Index(fields=("id",), name="feedback_to_look_at", condition=Q(looked_at=None)),
            models.Index(
                fields=("project", "address", "-id"), name="feedback_by_address", condition=~Q(origin="")
            ),
        )

    def __str__(self) -> str:
        return {1: "thumb up", -1: "thumb down"}.get(self.thumb or 0, "a comment")
