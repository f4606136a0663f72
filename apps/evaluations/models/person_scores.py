"""What people say of answers, wherever they said it: one place to read it from."""

from __future__ import annotations

from django.db import models

from apps.core.models import Project
from apps.evaluations.models.runs import EvalItem
from apps.prompts.models import PromptVersion
from apps.traces.models import Span


class PersonScore(models.Model):
    """A score that a person gave an answer: end user or reviewer of a span (`item` null), or reviewer of
    a run's result (`span` null). A view of the database; nothing is written here.

    `source` is "end_user" or "human"; `value` is null where only a label or a text was given.
    """

    #: "span:<id>" or "item:<id>" of the score.
    id = models.CharField(primary_key=True, max_length=48)
    project = models.ForeignKey(Project, on_delete=models.DO_NOTHING, related_name="+")
    prompt_version = models.ForeignKey(
        PromptVersion, null=True, on_delete=models.DO_NOTHING, related_name="+"
    )
    item = models.ForeignKey(EvalItem, null=True, on_delete=models.DO_NOTHING, related_name="+")
    span = models.ForeignKey(Span, null=True, on_delete=models.DO_NOTHING, related_name="+")
    metric = models.CharField(max_length=120)
    source = models.CharField(max_length=20)
    rater = models.CharField(max_length=120)
    value = models.FloatField(null=True)
    label = models.CharField(max_length=200)

    class Meta:
        managed = False
        db_table = "evaluations_personscore"

    def __str__(self) -> str:
        return f"{self.metric}: {self.value}"
