"""One call to a model that a person asked for and watches."""

from __future__ import annotations

from django.db import models

from apps.core.models import AuthoredModel, ProjectRow
from apps.prompts.models import Prompt, PromptVersion
from apps.providers.models import Model
from apps.traces.models import Span


class Call(ProjectRow, AuthoredModel):
    """What was asked, of which draft or version, and what came back.

    The row is the truth; the event stream of `page` only carries the same sooner. `content` is what the call
    was made of: {"messages", "parameters", "tools", "response_schema", "includes"}, a saved version's or a
    draft's; `messages` are those that were sent.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Purpose(models.TextChoices):
        RUN = "run"
        TRIAL = "trial"
        TURN = "turn"
        #: An application asked, through REST: nobody's page shows it.
        APPLICATION = "application"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="calls")
    #: None for a draft.
    prompt_version = models.ForeignKey(
        PromptVersion, null=True, blank=True, on_delete=models.RESTRICT, related_name="+"
    )
    purpose = models.CharField(max_length=12, choices=Purpose.choices, default=Purpose.RUN)
    #: The browser page that asked, and the column of it; calls of one click share a `batch`.
    page = models.UUIDField()
    column = models.CharField(max_length=20, blank=True)
    batch = models.UUIDField()
    #: Goes on when the page is left.
    keep = models.BooleanField(default=False)
    #: Of an application that asked: whose session it was, by its own names.
    session = models.CharField(max_length=200, blank=True)
    end_user = models.CharField(max_length=200, blank=True)

    model = models.ForeignKey(Model, null=True, on_delete=models.SET_NULL, related_name="+")
    model_name = models.CharField(max_length=200)
    content = models.JSONField()
    inputs = models.JSONField(default=dict)
    messages = models.JSONField(default=list)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
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
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    #: Whoever claimed the call, and until when it is his: only its holder writes the result.
    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    span = models.ForeignKey(Span, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = (
            models.Index(fields=("prompt", "-id"), name="workbench_call_of_prompt"),
            models.Index(
                fields=("prompt", "-id"),
                name="workbench_call_history",
                condition=~models.Q(purpose="application"),
            ),
            models.Index(fields=("project", "page", "id"), name="workbench_call_of_page"),
            models.Index(
                fields=("project", "created_at"), include=("cost_usd", "status"), name="workbench_call_cost"
            ),
            models.Index(
                fields=("lease_until",),
                name="workbench_call_unfinished",
                condition=models.Q(status__in=("pending", "running")),
            ),
        )
