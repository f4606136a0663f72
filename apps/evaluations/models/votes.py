"""Votes: which of two outputs is the better one."""

from __future__ import annotations

from django.db import models

from apps.evaluations.models.evaluators import EvaluatorVersion
from apps.evaluations.models.runs import EvalItem


class PairVote(models.Model):
    """One rater's choice between an item's output and another: `other_item`'s, or the reference (null).

    `consistent`: a judge chose the same in both orders; what flipped is a tie.
    """

    class Winner(models.TextChoices):
        ITEM = "item"
        OTHER = "other"
        TIE = "tie"

    class Source(models.TextChoices):
        JUDGE = "judge"
        HUMAN = "human"

    id = models.BigAutoField(primary_key=True)
    item = models.ForeignKey(EvalItem, on_delete=models.CASCADE, related_name="votes")
    other_item = models.ForeignKey(
        EvalItem, null=True, on_delete=models.CASCADE, related_name="votes_against"
    )
    evaluator_version = models.ForeignKey(
        EvaluatorVersion, null=True, on_delete=models.PROTECT, related_name="+"
    )
    winner = models.CharField(max_length=5, choices=Winner.choices)
    source = models.CharField(max_length=5, choices=Source.choices, default=Source.JUDGE)
    #: Which output was shown first (above, or on the left); "" where both orders were asked.
    shown_first = models.CharField(max_length=5, choices=Winner.choices, blank=True, default="")
    consistent = models.BooleanField(default=True)
    #: Who chose: "judge:<slug of the evaluator>", or "user:<id>".
    rater = models.CharField(max_length=254)
    reason = models.TextField(blank=True)
    #: A tie of two that the voter would give to nobody; counted as any other tie.
    both_bad = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("item", "other_item", "evaluator_version", "rater"),
                name="one_vote_per_pair_and_rater",
                nulls_distinct=False,
            ),
        )
        # A comparison asks whether people voted anew each time that it is looked at; judges give many more.
        indexes = (
            models.Index(fields=("item",), name="human_vote_by_item", condition=models.Q(source="human")),
        )

    def __str__(self) -> str:
        return f"{self.winner} by {self.rater}"
