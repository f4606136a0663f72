"""The registry: what a version is made of never changes; what is learnt about it lies beside it."""

from __future__ import annotations

from django.db import models

from apps.core.models import AuthoredModel, ProjectRow, UuidModel
from apps.datasets.models import DatasetVersion
from apps.providers.models import Model


class ModelVersion(ProjectRow, AuthoredModel):
    """Weights by name and number: "support-tone" 3, which the local provider serves as "support-tone-v3".

    A base in a folder, or one that comes with the installation, has its hashes too, but is not copied.
    """

    class Kind(models.TextChoices):
        BASE = "base", "Base model"
        ADAPTER = "adapter", "LoRA adapter"
        MERGED = "merged", "Whole model"
        HOSTED = "hosted", "Hosted by its provider"

    class Source(models.TextChoices):
        EMBEDDED = "embedded", "Comes with the installation"
        FOLDER = "folder", "A folder of the workers' machines"
        JOB = "job", "Fine-tuning"
        MERGE = "merge", "Merged from an adapter"
        IMPORT = "import", "Imported"
        HOSTED = "hosted", "Hosted fine-tuning"

    name = models.CharField(max_length=80)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    source = models.CharField(max_length=8, choices=Source.choices)
    #: What an adapter stands on, or what was trained, merged or fine-tuned further.
    base = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    #: Of a base in a folder: its name below LLMOPS_BASE_MODELS_DIR; of a hosted one: its name there.
    location = models.CharField(max_length=300, blank=True, default="")
    #: Over paths and hashes of all files: the same weights have the same fingerprint (SHA-256, hex).
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    size_bytes = models.PositiveBigIntegerField(default=0)
    parameters = models.PositiveBigIntegerField(default=0)
    trained_parameters = models.PositiveBigIntegerField(default=0)
    #: "LlamaForCausalLM", dtype, context window, LoRA's rank and modules, as the files say.
    architecture = models.JSONField(default=dict)
    #: Number, method, technique, settings, seed, versions, hardware, code commit of the job; {} without one.
    recipe = models.JSONField(default=dict)
    #: Training set and dataset versions with hashes, numbers of rows and of judgements by kind.
    lineage = models.JSONField(default=dict)
    dataset_version = models.ForeignKey(DatasetVersion, null=True, on_delete=models.PROTECT, related_name="+")
    base_licence = models.CharField(max_length=120, blank=True, default="")
    data_licence = models.CharField(max_length=120, blank=True, default="")
    #: Training's own last figures: loss, eval_loss, rewards/accuracies …
    training_metrics = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "name", "number"), name="model_version_once"),
        )
        indexes = (models.Index(fields=("project", "-id"), name="model_version_by_project"),)

    def __str__(self) -> str:
        return self.full_name

    @property
    def full_name(self) -> str:
        return f"{self.name}-v{self.number}"


class ModelFile(models.Model):
    """One file of a version. `stored_as` is its name in the file store; "" for a base that is not copied."""

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=300)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    stored_as = models.CharField(max_length=400, blank=True, default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("version", "path"), name="model_file_once"),)

    def __str__(self) -> str:
        return self.path


class ModelState(models.Model):
    """Whether a version is served, and as which model; deleted ones keep their row, not their files."""

    class State(models.TextChoices):
        READY = "ready", "Ready"
        ARCHIVED = "archived", "Archived"
        DELETED = "deleted", "Deleted"

    version = models.OneToOneField(
        ModelVersion, primary_key=True, on_delete=models.CASCADE, related_name="state"
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.READY)
    #: What prompts and runs name while `state` is ready; a provider's own is remembered in the archive.
    model = models.ForeignKey(Model, null=True, on_delete=models.SET_NULL, related_name="+")
    description = models.TextField(blank=True, default="")
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.state

    @property
    def served_as(self) -> Model | None:
        """What prompts and runs can name now."""
        return self.model if self.state == self.State.READY else None


class ModelNote(UuidModel, AuthoredModel):
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="notes")
    text = models.TextField()

    def __str__(self) -> str:
        return self.text[:60]


class RegistryWork(ProjectRow, AuthoredModel):
    """Merging an adapter, taking in an upload or a folder, or making a version of a job's checkpoint: done by
    a worker, claimed by its fence."""

    class Kind(models.TextChoices):
        MERGE = "merge", "Merge"
        IMPORT = "import", "Import"
        CHECKPOINT = "checkpoint", "Registration"

    class Status(models.TextChoices):
        PENDING = "pending", "Waiting"
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    status_reason = models.TextField(blank=True, default="")
    #: The adapter to merge.
    source = models.ForeignKey(ModelVersion, null=True, on_delete=models.CASCADE, related_name="+")
    #: What a version is to be made of.
    checkpoint = models.ForeignKey(
        "training.Checkpoint", null=True, on_delete=models.CASCADE, related_name="+"
    )
    #: What the imported adapter stands on, as FineTuningJob.base; {} for a whole model.
    base = models.JSONField(default=dict)
    name = models.CharField(max_length=80, blank=True, default="")
    #: The upload in the file store, or the folder's name below LLMOPS_BASE_MODELS_DIR.
    upload = models.CharField(max_length=300, blank=True, default="")
    folder = models.CharField(max_length=300, blank=True, default="")
    #: What was uploaded, as the person's machine called it.
    filename = models.CharField(max_length=200, blank=True, default="")
    licence = models.CharField(max_length=120, blank=True, default="")
    data_licence = models.CharField(max_length=120, blank=True, default="")
    made = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=("project", "-id"), name="registry_work_by_project"),
            models.Index(
                fields=("lease_until",),
                name="registry_work_at_work",
                condition=models.Q(status__in=("pending", "running")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def is_waiting(self) -> bool:
        return self.status in (self.Status.PENDING, self.Status.RUNNING)
