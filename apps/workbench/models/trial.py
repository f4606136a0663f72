"""A prompt tried on the first rows of a dataset: which calls belong together, and how each was scored."""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from apps.core.models import AuthoredModel, ProjectRow, UuidModel
from apps.datasets.models import DatasetVersion, Example
from apps.evaluations.models import EvaluatorVersion
from apps.prompts.models import Prompt

from .call import Call


class Trial(ProjectRow, AuthoredModel):
    """Up to four columns of a page on some rows of a dataset version.

    `columns` are [{"id", "base", "model", "version"}, …] in the page's order, with "typed" as it was sent, so
    that what failed can be called again. `examples` are the rows' ids, in order. `choice` is what was asked
    for: {"limit", "q", "split"}. `page` is the browser page that asked.
    """

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="trials")
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="+")
    page = models.UUIDField()
    keep = models.BooleanField(default=False)
    choice = models.JSONField(default=dict)
    columns = models.JSONField(default=list)
    evaluator_versions = models.ManyToManyField(EvaluatorVersion, related_name="+")
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=("prompt", "-id"), name="workbench_trial_of_prompt"),
            models.Index(fields=("project", "created_at"), name="workbench_trial_month"),
        )


class TrialCell(UuidModel):
    """One row in one column, and the call that answers it. A cell that failed can be given another call.

    `scoring_lease_until` is how long whoever scores it has; `scored_at` says that every evaluator has spoken.
    `error` says why there is no call: the row's values do not fit the prompt.
    """

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="cells")
    column = models.CharField(max_length=20)
    position = models.PositiveSmallIntegerField()
    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="+")
    call = models.OneToOneField(Call, null=True, on_delete=models.SET_NULL, related_name="trial_cell")
    error = models.TextField(blank=True)
    scored_at = models.DateTimeField(null=True)
    scoring_lease = models.UUIDField(null=True)
    scoring_lease_until = models.DateTimeField(null=True)
    scoring_attempts = models.PositiveSmallIntegerField(default=0)
    #: What judges of the cell's answers cost, and how many of their answers have no known price.
    judge_cost_usd = models.DecimalField(max_digits=16, decimal_places=9, default=Decimal(0))
    judge_unknown = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("trial", "column", "position"), name="one_trial_cell_per_place"),
        )
        indexes = (
            models.Index(
                fields=("scoring_lease_until",),
                name="workbench_cell_unscored",
                condition=models.Q(scored_at=None, call__isnull=False),
            ),
        )


class TrialScore(UuidModel):
    """What an evaluator said of a call's answer. `value` None: it could not be scored, `detail` says why."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="trial_scores")
    evaluator_version = models.ForeignKey(EvaluatorVersion, on_delete=models.CASCADE, related_name="+")
    metric = models.CharField(max_length=160)
    value = models.FloatField(null=True)
    label = models.CharField(max_length=200, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("call", "evaluator_version", "metric"), name="one_trial_score_per_metric"
            ),
        )
