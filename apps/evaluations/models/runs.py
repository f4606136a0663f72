"""Runs, their items, and the tries at them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.models import AuthoredModel, ProjectRow, UuidModel
from apps.datasets.models import DatasetVersion, Example
from apps.evaluations.models.evaluators import EvaluatorVersion
from apps.prompts.models import PromptVersion
from apps.providers.models import Model


class EvalRun(ProjectRow, AuthoredModel):
    """One prompt version (or outputs made elsewhere) over one dataset version, under a frozen plan."""

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        PAUSED = "paused"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    TERMINAL: ClassVar[tuple[str, ...]] = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)

    number = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    # The plan, frozen when the run is made.
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="+")
    prompt_version = models.ForeignKey(PromptVersion, null=True, on_delete=models.PROTECT, related_name="+")
    model = models.ForeignKey(Model, null=True, on_delete=models.PROTECT, related_name="+")
    model_name = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict)
    plan = models.JSONField(default=dict)
    evaluator_versions = models.ManyToManyField(EvaluatorVersion, related_name="+")
    recorded = models.BooleanField(default=False)
    queue = models.CharField(max_length=20)
    repetitions = models.PositiveSmallIntegerField(default=1)
    max_concurrency = models.PositiveSmallIntegerField(default=8)
    seed = models.BigIntegerField(null=True)
    budget_usd = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    budget_tokens = models.BigIntegerField(null=True)
    use_cache = models.BooleanField(default=False)
    rerun_of = models.ForeignKey("self", null=True, on_delete=models.SET_NULL, related_name="reruns")
    # How it goes.
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    status_reason = models.TextField(blank=True)
    total = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    finalized_at = models.DateTimeField(null=True)
    # Who drives it: one slice at a time, fenced by the token.
    driver_token = models.BigIntegerField(default=0)
    driver_lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "number"), name="run_number_once"),)
        indexes = (
            models.Index(fields=("project", "-id"), name="run_by_project"),
            models.Index(
                fields=("driver_lease_until",),
                name="run_to_drive",
                condition=Q(status__in=("pending", "running")),
            ),
            models.Index(
                fields=("finished_at",),
                name="run_to_finalize",
                condition=Q(finalized_at=None, finished_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_terminal(self) -> bool:
        return self.status in self.TERMINAL


class EvalItem(UuidModel):
    """One example of a run, once per repetition, with its own evidence: input, output, cost, time, error."""

    class Status(models.TextChoices):
        PENDING = "pending"
        ANSWERED = "answered"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    # Found by the indexes that begin with it.
    run = models.ForeignKey(EvalRun, on_delete=models.CASCADE, related_name="items", db_index=False)
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="+")
    example_key = models.CharField(max_length=200)
    position = models.PositiveIntegerField()
    repetition = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    # The lease of whoever works on it now; a result is written only under the token it was claimed with.
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    #: Once answered: which stage of scoring comes next (see `scoring_stages`), and how often it was tried.
    stage = models.PositiveSmallIntegerField(default=0)
    scoring_attempts = models.PositiveSmallIntegerField(default=0)
    # The evidence.
    rendered = models.JSONField(default=list)
    output = models.TextField(blank=True)
    tool_calls = models.JSONField(default=list)
    finish_reason = models.CharField(max_length=40, blank=True)
    error_kind = models.CharField(max_length=30, blank=True)
    error = models.TextField(blank=True)
    input_tokens = models.IntegerField(null=True)
    output_tokens = models.IntegerField(null=True)
    cost_usd = models.DecimalField(max_digits=16, decimal_places=9, null=True)
    latency_ms = models.FloatField(null=True)
    time_to_first_token_ms = models.FloatField(null=True)
    #: The answer came from the response cache: no call was made, and it cost nothing.
    cached = models.BooleanField(default=False)
    #: What the calls of judges cost, kept apart from the cost of the answer.
    judge_cost_usd = models.DecimalField(max_digits=16, decimal_places=9, null=True)
    judge_tokens = models.IntegerField(null=True)
    span_id = models.UUIDField(null=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            # With all that pairing two runs reads of an item, so that it need not read the outputs' pages.
            models.UniqueConstraint(
                fields=("run", "example", "repetition"),
                include=("id", "position", "status"),
                name="one_item_per_example_repetition",
            ),
        )
        indexes = (
            models.Index(fields=("run", "position", "repetition"), name="item_in_order"),
            models.Index(
                fields=("run", "status", "position"),
                name="item_to_work_on",
                condition=Q(status__in=("pending", "answered")),
            ),
            models.Index(fields=("run", "status"), name="item_by_status"),
            models.Index(
                fields=("lease_token",), name="item_by_claim", condition=Q(lease_token__isnull=False)
            ),
            models.Index(
                fields=("run", "answered_at"),
                name="item_answered_when",
                condition=Q(answered_at__isnull=False),
            ),
        )


class ItemAttempt(models.Model):
    """A try at an item that gave no answer, or no score: when, how long, and why."""

    class Purpose(models.TextChoices):
        ANSWER = "answer"
        SCORE = "score"

    id = models.BigAutoField(primary_key=True)
    item = models.ForeignKey(EvalItem, on_delete=models.CASCADE, related_name="tries")
    purpose = models.CharField(max_length=6, choices=Purpose.choices, default=Purpose.ANSWER)
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.FloatField(null=True)
    error_kind = models.CharField(max_length=30)
    error = models.TextField()
    #: HTTP status that the provider answered with, and the wait that it asked for.
    status_code = models.PositiveSmallIntegerField(null=True)
    retry_after_s = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"{self.purpose} {self.number}: {self.error_kind}"


class RunNews(models.Model):
    """A run came to an end or a halt, and its owner and the project's webhooks have to be told.

    Written with the run's state, so that it is never lost; told in a task of its own.
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(EvalRun, on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=12)
    reason = models.TextField(blank=True)
    #: The person who did it, if one did: nobody is told what they did themselves.
    by_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    told_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=("id",), name="run_news_to_tell", condition=Q(told_at=None)),)

    def __str__(self) -> str:
        return f"{self.run_id} is {self.status}"
