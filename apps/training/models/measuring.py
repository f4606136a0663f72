"""How a version did against its base, and what the project asks of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.core.models import AuthoredModel, Project, UuidModel
from apps.evaluations.models import Comparison, EvalRun
from apps.training.models.registry import ModelVersion


class ModelMeasurement(UuidModel, AuthoredModel):
    """One evaluation of a version and its base on the same rows, with the same prompt and evaluators."""

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting"
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"

    class Verdict(models.TextChoices):
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"
        UNDECIDED = "undecided", "Not decided"
        NO_POLICY = "no_policy", "No policy"

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="measurements")
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    status_reason = models.TextField(blank=True, default="")
    #: As FineTuningJob.evaluation.
    plan = models.JSONField(default=dict)
    base_run = models.ForeignKey(EvalRun, null=True, on_delete=models.PROTECT, related_name="+")
    run = models.ForeignKey(EvalRun, null=True, on_delete=models.PROTECT, related_name="+")
    comparison = models.ForeignKey(Comparison, null=True, on_delete=models.PROTECT, related_name="+")
    #: The figures of the primary metric, as the comparison gave them.
    figures = models.JSONField(default=dict)
    verdict = models.CharField(max_length=9, choices=Verdict.choices, blank=True, default="")
    #: The policy as it was, and each of its conditions with what was found.
    judged = models.JSONField(default=dict)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=("version", "-id"), name="measurement_of_version"),
            models.Index(fields=("id",), name="measurement_under_way", condition=Q(status="running")),
        )

    def __str__(self) -> str:
        return f"{self.version_id} {self.status}"

    @property
    def of_base(self) -> bool:
        """Whether it says how the version did against what it was made from, which a policy asks for.

        One that was made from nothing is judged against whatever it was measured against.
        """
        against, base = self.plan.get("against"), self.version.base_id
        return not against or base is None or against == str(base)


class ModelPolicy(AuthoredModel):
    """What a version must hold to pass."""

    class MustBeat(models.TextChoices):
        CLEARLY = "clearly", "The interval of the difference lies above zero"
        ON_AVERAGE = "average", "The difference is above zero"
        NOT_WORSE = "not_worse", "The interval of the difference does not lie below zero"
        NO = "no", "No condition on the whole"

    project = models.OneToOneField(Project, primary_key=True, on_delete=models.CASCADE, related_name="+")
    must_beat = models.CharField(max_length=9, choices=MustBeat.choices, default=MustBeat.CLEARLY)
    #: In points of the primary metric (hundredths); null: slices are not looked at.
    most_lost_on_slice = models.FloatField(null=True, default=2.0)
    #: A slice with fewer rows is not judged.
    least_slice_rows = models.PositiveIntegerField(default=20)
    #: A slice passes only when its interval excludes a larger loss; else when no larger loss was measured.
    slices_shown = models.BooleanField(default=False)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.must_beat
