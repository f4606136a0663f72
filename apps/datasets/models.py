"""Datasets: versions that share their rows, drafts of edits, and imports.

A version copies nothing. An example row is valid from one version until another:
version n holds the rows with valid_from <= n and (valid_to is null or valid_to > n).
"""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from apps.core.models import AuthoredModel, ProjectRow, UuidModel, new_id

MAX_KEY_LENGTH = 200
MAX_SPLIT_LENGTH = 40


class Dataset(ProjectRow, AuthoredModel):
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, default="", max_length=2000)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "slug"), name="one_dataset_per_slug"),
            models.UniqueConstraint("project", Lower("name"), name="one_dataset_per_name"),
        )

    def __str__(self) -> str:
        return self.name


class DatasetVersion(UuidModel, AuthoredModel):
    """Immutable; the database refuses an update.

    `columns` names what its examples hold, in the file's order:
    {"inputs": [...], "reference": "name or empty", "metadata": [...], "splits": [...]}.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    note = models.TextField(blank=True, default="", max_length=2000)
    example_count = models.PositiveIntegerField()
    added = models.PositiveIntegerField()
    changed = models.PositiveIntegerField()
    removed = models.PositiveIntegerField()
    unchanged = models.PositiveIntegerField(default=0)
    columns = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("dataset", "number"), name="one_dataset_version_per_number"),
        )

    def __str__(self) -> str:
        return f"{self.dataset.name} version {self.number}"


class Example(UuidModel):
    """One state of one example. Only `valid_to` may change, once, from null to a version's number."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=MAX_KEY_LENGTH)
    valid_from = models.PositiveIntegerField()
    valid_to = models.PositiveIntegerField(null=True, blank=True)
    position = models.BigIntegerField()
    inputs = models.JSONField()
    reference = models.JSONField(null=True, blank=True)
    metadata = models.JSONField(default=dict)
    split = models.CharField(max_length=MAX_SPLIT_LENGTH, blank=True, default="")
    content_hash = models.CharField(max_length=64)
    search = SearchVectorField(null=True, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("dataset", "key"),
                condition=Q(valid_to__isnull=True),
                name="one_current_example_per_key",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="example_valid_to_after_from",
            ),
        )
        indexes = (
            models.Index(fields=("dataset", "position", "id"), name="example_by_position"),
            models.Index(fields=("dataset", "key", "valid_from"), name="example_by_key"),
            models.Index(fields=("dataset", "valid_to"), name="example_by_valid_to"),
            models.Index(fields=("dataset", "valid_from"), name="example_by_valid_from"),
            GinIndex(fields=("search",), name="example_search"),
        )

    def __str__(self) -> str:
        return self.key


class DatasetDraft(UuidModel):
    """The edits that gather before they become one version. One per dataset, shared by its editors."""

    dataset = models.OneToOneField(Dataset, on_delete=models.CASCADE, related_name="draft")


class DraftChange(UuidModel, AuthoredModel):
    """One pending edit. `base` is the example as the editor saw it; null for an example that is new."""

    class Action(models.TextChoices):
        UPSERT = "upsert"
        DELETE = "delete"

    draft = models.ForeignKey(DatasetDraft, on_delete=models.CASCADE, related_name="changes")
    key = models.CharField(max_length=MAX_KEY_LENGTH)
    action = models.CharField(max_length=8, choices=Action.choices)
    base = models.ForeignKey(Example, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    inputs = models.JSONField(default=dict)
    reference = models.JSONField(null=True, blank=True)
    metadata = models.JSONField(default=dict)
    split = models.CharField(max_length=MAX_SPLIT_LENGTH, blank=True, default="")
    revision = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("draft", "key"), name="one_draft_change_per_key"),)


class DatasetImport(ProjectRow, AuthoredModel):
    """One file on its way into a dataset. It shows only when it is whole.

    `fence` counts the claims: whoever holds an older number may write no more.
    """

    class Status(models.TextChoices):
        UPLOADED = "uploaded"  # waits for its mapping
        PENDING = "pending"
        RUNNING = "running"
        COMPLETED = "completed"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Mode(models.TextChoices):
        MERGE = "merge"
        REPLACE = "replace"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="imports")
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.UPLOADED)
    filename = models.CharField(max_length=200)
    stored_as = models.CharField(max_length=300, blank=True, default="")
    size_bytes = models.BigIntegerField(default=0)
    source = models.JSONField(default=dict)  # format, encoding, delimiter, header
    mapping = models.JSONField(default=dict)
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.MERGE)
    note = models.TextField(blank=True, default="", max_length=2000)
    # Null, not empty, where there is none: it is unique.
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001

    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    publishing = models.BooleanField(default=False)

    rows_read = models.BigIntegerField(default=0)
    bytes_read = models.BigIntegerField(default=0)
    rows_staged = models.BigIntegerField(default=0)
    rows_rejected = models.BigIntegerField(default=0)
    #: Lines with nothing on them: no rows, and passed over.
    rows_blank = models.BigIntegerField(default=0)
    rows_unchanged = models.BigIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    version = models.ForeignKey(
        DatasetVersion,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("dataset", "idempotency_key"),
                name="one_import_per_idempotency_key",
            ),
        )
        indexes = (models.Index(fields=("status", "lease_until"), name="import_by_lease"),)

    def __str__(self) -> str:
        return self.filename

    @property
    def is_waiting(self) -> bool:
        return self.status in (self.Status.PENDING, self.Status.RUNNING)


class ImportRejection(models.Model):
    """A row that could not be imported: its line in the file, and why."""

    batch = models.ForeignKey(DatasetImport, on_delete=models.CASCADE, related_name="rejections")
    fence = models.PositiveIntegerField()
    line = models.BigIntegerField()
    error = models.CharField(max_length=500)

    class Meta:
        indexes = (models.Index(fields=("batch", "line", "id"), name="rejection_by_line"),)

    def __str__(self) -> str:
        return f"line {self.line}: {self.error}"


class StagedExample(models.Model):
    """Rows gathered before they are published in one go. Unlogged: a crash of the database empties it,
    and the work that filled it starts over.

    `batch` is the import's or the draft's id; `fence` the import's claim. Not a foreign key: the rows
    are written by COPY and live for seconds.
    """

    batch = models.UUIDField()
    fence = models.PositiveIntegerField(default=0)
    line = models.BigIntegerField()
    removed = models.BooleanField(default=False)
    example_id = models.UUIDField(default=new_id)
    key = models.CharField(max_length=MAX_KEY_LENGTH)
    inputs = models.JSONField()
    reference = models.JSONField(null=True)
    metadata = models.JSONField(default=dict)
    split = models.CharField(max_length=MAX_SPLIT_LENGTH, blank=True, default="")
    content_hash = models.CharField(max_length=64)
    search_text = models.TextField(blank=True, default="")

    class Meta:
        indexes = (models.Index(fields=("batch", "key", "line"), name="staged_by_key"),)

    def __str__(self) -> str:
        return self.key
