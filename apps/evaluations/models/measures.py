"""What is measured of a run: scores of items, summaries of metrics, counts and sums."""

from __future__ import annotations

from typing import Any

from django.db import models

from apps.evaluations.models.evaluators import EvaluatorVersion
from apps.evaluations.models.runs import EvalItem, EvalRun


class ItemScore(models.Model):
    """What one metric says of one item. `value` is null where it could not be scored: missing, not zero."""

    id = models.BigAutoField(primary_key=True)
    # Found by the indexes that begin with it.
    item = models.ForeignKey(EvalItem, on_delete=models.CASCADE, related_name="scores", db_index=False)
    evaluator_version = models.ForeignKey(
        EvaluatorVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    metric = models.CharField(max_length=120)
    source = models.CharField(max_length=20, default="evaluator")
    rater = models.CharField(max_length=120, blank=True, default="")
    value = models.FloatField(null=True)
    #: The category, where the metric gives one.
    label = models.CharField(max_length=200, blank=True, default="")
    detail = models.TextField(blank=True)
    #: What a metric of the whole run needs of this item, e.g. matched n-grams for BLEU: [numbers] or {names}.
    statistics = models.JSONField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("item", "evaluator_version", "metric", "source", "rater"),
                name="one_score_per_item_metric_source_rater",
                nulls_distinct=False,
            ),
        )
        # A page of a comparison reads one metric of every item of two runs, from this index alone.
        indexes = (
            models.Index(fields=("item", "metric", "source"), include=("value",), name="score_by_item"),
            # People rate few of the items that a judge scores.
            models.Index(
                fields=("metric", "item"), name="human_score_by_metric", condition=models.Q(source="human")
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
    #: Standard deviation between the repetitions of an example, averaged over the examples.
    spread = models.FloatField(null=True)
    #: What a metric of the whole run shows beside its number, e.g. a confusion matrix; of people's ratings,
    #: under MADE_OF and shown nowhere, which ratings it sums up.
    detail = models.JSONField(default=dict)

    MADE_OF = "made_of"

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("run", "name", "source"), name="one_summary_per_metric"),
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.mean}"

    @property
    def shown(self) -> dict[str, Any]:
        """`detail` as pages and REST show it."""
        return {name: value for name, value in self.detail.items() if name != self.MADE_OF}


class RunProgress(models.Model):
    """Counts and sums over a run's items, kept by the database itself (triggers on the items): always exact.

    Tokens are of answers, cached ones included; costs in US dollars.
    """

    run = models.OneToOneField(EvalRun, primary_key=True, on_delete=models.CASCADE, related_name="progress")
    pending = models.IntegerField(default=0)
    answered = models.IntegerField(default=0)
    completed = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    cancelled = models.IntegerField(default=0)
    cached = models.IntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=18, decimal_places=9, default=0)
    #: Answers whose cost is known, and unknown: a sum with unknown parts is a lower bound.
    cost_known = models.IntegerField(default=0)
    cost_unknown = models.IntegerField(default=0)
    judge_cost_usd = models.DecimalField(max_digits=18, decimal_places=9, default=0)

    def __str__(self) -> str:
        return f"{self.completed} completed, {self.pending} pending"


class RunTally(models.Model):
    """Count and sum of one metric over a run so far. Kept by the database itself (triggers on the scores)."""

    run = models.ForeignKey(EvalRun, on_delete=models.CASCADE, related_name="tallies")
    metric = models.CharField(max_length=120)
    source = models.CharField(max_length=20)
    scored = models.IntegerField(default=0)
    unscored = models.IntegerField(default=0)
    total = models.FloatField(default=0)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("run", "metric", "source"), name="one_tally_per_metric"),
        )

    def __str__(self) -> str:
        return f"{self.metric}: {self.scored}"
