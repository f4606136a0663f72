"""What happened: traces and their spans. A call to a model is a span of kind "llm"."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.core.models import Project, ProjectRow
from apps.prompts.models import Prompt, PromptVersion
from apps.providers.models import Model


class Trace(ProjectRow):
    """One piece of work of an application or of a run: a tree of spans."""

    name = models.CharField(max_length=200, blank=True)
    session = models.CharField(max_length=200, blank=True)
    user = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=20, default="run")
    #: The application's own name of a trace that it sent itself.
    external_id = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "external_id"),
                name="one_trace_per_external_id",
                condition=~Q(external_id=""),
            ),
        )
        indexes = (models.Index(fields=("project", "-id"), name="trace_by_project"),)


class Span(ProjectRow):
    """One step, with what went in and came out. Spans may expire; what a run proves is kept by its items.

    Ids are in the order of time, also of those that an application sent later. `source`, `session` and `user`
    are the trace's, and `prompt` the version's where there is one: the database fills them in (migration
    0002), so that a list is read from one index. It also keeps `words`, which no query but the search names.
    """

    class Kind(models.TextChoices):
        LLM = "llm"
        EVALUATOR = "evaluator"
        TOOL = "tool"
        CHAIN = "chain"

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="spans", db_index=False)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children"
    )
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.LLM)
    name = models.CharField(max_length=200, blank=True)
    prompt_version = models.ForeignKey(
        PromptVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    prompt = models.ForeignKey(
        Prompt, null=True, blank=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    model = models.ForeignKey(Model, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    model_name = models.CharField(max_length=200, blank=True)
    #: What the span came from in a higher room, as text: "eval_item:<id>".
    origin = models.CharField(max_length=80, blank=True)
    inputs = models.JSONField(null=True, blank=True)
    messages = models.JSONField(default=list)
    parameters = models.JSONField(default=dict)
    output = models.TextField(blank=True)
    tool_calls = models.JSONField(default=list)
    finish_reason = models.CharField(max_length=40, blank=True)
    error_kind = models.CharField(max_length=30, blank=True)
    error = models.TextField(blank=True)
    input_tokens = models.IntegerField(null=True)
    output_tokens = models.IntegerField(null=True)
    cost_usd = models.DecimalField(max_digits=16, decimal_places=9, null=True)
    time_to_first_token_ms = models.FloatField(null=True)
    duration_ms = models.FloatField(null=True)
    started_at = models.DateTimeField()
    tags = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    #: The application's own name of a span that it sent itself.
    external_id = models.CharField(max_length=100, blank=True, default="")
    source = models.CharField(max_length=20, blank=True, default="")
    session = models.CharField(max_length=200, blank=True, default="")
    user = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "external_id"),
                name="one_span_per_external_id",
                condition=~Q(external_id=""),
            ),
        )
        indexes = (
            models.Index(fields=("trace", "id"), name="span_of_trace"),
            models.Index(fields=("project", "-id"), name="span_by_project"),
            models.Index(fields=("project", "prompt_version", "-id"), name="span_by_prompt_version"),
            models.Index(fields=("origin",), name="span_by_origin"),
            models.Index(fields=("project", "-id"), name="span_listed", condition=~Q(kind="evaluator")),
            models.Index(
                fields=("project", "prompt", "-id"), name="span_by_prompt", condition=Q(prompt__isnull=False)
            ),
            models.Index(fields=("project", "model_name", "-id"), name="span_by_model"),
            models.Index(fields=("project", "source", "-id"), name="span_by_source"),
            models.Index(
                fields=("project", "session", "-id"), name="span_by_session", condition=~Q(session="")
            ),
            models.Index(fields=("project", "user", "-id"), name="span_by_user", condition=~Q(user="")),
            models.Index(fields=("project", "-id"), name="span_failed", condition=~Q(error_kind="")),
        )


class SpanScore(ProjectRow):
    """A number, label or text that somebody or something gave a span."""

    span = models.ForeignKey(Span, on_delete=models.CASCADE, related_name="scores")
    metric = models.CharField(max_length=120)
    source = models.CharField(max_length=20)
    rater = models.CharField(max_length=120, blank=True)
    value = models.FloatField(null=True)
    label = models.CharField(max_length=200, blank=True)
    comment = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("span", "metric", "source", "rater"), name="one_span_score_per_metric_source_rater"
            ),
        )
        indexes = (models.Index(fields=("project", "metric", "value", "-span"), name="span_score_by_value"),)


class SpanScoreTally(models.Model):
    """Count, sum and sum of squares of the scores that spans of a prompt version got, by the day (UTC) that a
    score was first given.

    Kept by the database itself (triggers on the scores), exactly. Four rows a day stand side by side, by the
    last digit of a span's id, so that votes on one version need not wait for each other: readers
    add them up. Scores without a number are not counted.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    prompt_version = models.ForeignKey(
        PromptVersion, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    metric = models.CharField(max_length=120)
    source = models.CharField(max_length=20)
    day = models.DateField()
    shard = models.PositiveSmallIntegerField()
    n = models.IntegerField(default=0)
    total = models.FloatField(default=0)
    squares = models.FloatField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "prompt_version", "metric", "source", "day", "shard"),
                name="one_span_score_tally_per_day",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return f"{self.metric}: {self.n}"
