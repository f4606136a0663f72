"""Files of pairs with votes, on their way into a queue."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.core.models import AuthoredModel, ProjectRow
from apps.feedback.models.queues import AnnotationQueue


class PairImport(ProjectRow, AuthoredModel):
    """One file on its way into a queue of pairs. What was read before a worker ended stays read: `line` says
    how far, and who takes it up goes on behind it. `fence` counts the claims.
    """

    class Status(models.TextChoices):
        UPLOADED = "uploaded"  # waits for its columns to be chosen
        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"

    queue = models.ForeignKey(AnnotationQueue, null=True, on_delete=models.CASCADE, related_name="+")
    #: The name of the queue to make, where it goes into none that is there.
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.UPLOADED)
    error = models.TextField(blank=True)
    filename = models.CharField(max_length=200)
    stored_as = models.CharField(max_length=300, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    #: See apps.feedback.pairs.mapping.
    mapping = models.JSONField(default=dict)
    #: Annotators that are wanted for each item beyond those in the file.
    further = models.PositiveSmallIntegerField(default=0)
    line = models.PositiveBigIntegerField(default=0)
    bytes_read = models.BigIntegerField(default=0)
    rows_read = models.PositiveIntegerField(default=0)
    items_added = models.PositiveIntegerField(default=0)
    items_known = models.PositiveIntegerField(default=0)
    votes_added = models.PositiveIntegerField(default=0)
    rows_rejected = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=("project", "-id"), name="pair_import_by_project"),
            models.Index(
                fields=("lease_until",),
                name="pair_import_to_do",
                condition=Q(status__in=("pending", "running")),
            ),
        )

    def __str__(self) -> str:
        return self.filename

    @property
    def is_waiting(self) -> bool:
        return self.status in (self.Status.PENDING, self.Status.RUNNING)


class PairRejection(models.Model):
    """A row that is no pair: its line in the file, and why."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(PairImport, on_delete=models.CASCADE, related_name="rejections", db_index=False)
    line = models.BigIntegerField()
    error = models.CharField(max_length=500)

    class Meta:
        indexes = (models.Index(fields=("job", "line", "id"), name="pair_rejection_by_line"),)

    def __str__(self) -> str:
        return f"line {self.line}: {self.error}"
