"""Evaluators, runs with their items and scores, and comparisons of runs."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.core.models import AuthoredModel, ProjectRow, UuidModel
from apps.datasets.models import DatasetVersion, Example
from apps.prompts.models import PromptVersion
from apps.providers.models import Model


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

    run = models.ForeignKey(EvalRun, on_delete=models.CASCADE, related_name="items")
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
    span_id = models.UUIDField(null=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("run", "example", "repetition"), name="one_item_per_example_repetition"
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
        )


class ItemScore(models.Model):
    """What one metric says of one item. `value` is null where it could not be scored: missing, not zero."""

    id = models.BigAutoField(primary_key=True)
    item = models.ForeignKey(EvalItem, on_delete=models.CASCADE, related_name="scores")
    evaluator_version = models.ForeignKey(
        EvaluatorVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    metric = models.CharField(max_length=120)
    source = models.CharField(max_length=20, default="evaluator")
    rater = models.CharField(max_length=120, blank=True, default="")
    value = models.FloatField(null=True)
    detail = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("item", "evaluator_version", "metric", "source", "rater"),
                name="one_score_per_item_metric_source_rater",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return f"{self.metric}: {self.value}"


class RunMetric(models.Model):
    """The summary of one metric over a run, made after its end (and made again when scores change)."""

    run = models.ForeignKey(EvalRun, on_delete=models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=120)
    source = models.CharField(max_length=20, default="evaluator")
    scale = models.CharField(max_length=12)
    direction = models.CharField(max_length=8, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    n = models.PositiveIntegerField()
    missing = models.PositiveIntegerField()
    mean = models.FloatField(null=True)
    ci_low = models.FloatField(null=True)
    ci_high = models.FloatField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("run", "name", "source"), name="one_summary_per_metric"),
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.mean}"


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
