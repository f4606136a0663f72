"""A job: what it is to do, frozen when it starts; how far it has come; what can be gone on from."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.core.models import AuthoredModel, ProjectRow, UuidModel
from apps.datasets.models import DatasetVersion
from apps.feedback.models import TrainingSet
from apps.prompts.models import PromptVersion
from apps.providers.models import Provider
from apps.training.models.registry import ModelVersion


class FineTuningJob(ProjectRow, AuthoredModel):
    class Method(models.TextChoices):
        SFT = "sft", "Supervised (SFT)"
        DPO = "dpo", "Preferences (DPO)"
        KTO = "kto", "Thumbs (KTO)"

    class Technique(models.TextChoices):
        LORA = "lora", "LoRA adapter"
        FULL = "full", "All weights"
        HOSTED = "hosted", "Hosted by a provider"

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        PENDING = "pending", "Waiting"
        RUNNING = "running", "Running"
        STOPPING = "stopping", "Stopping"
        REGISTERING = "registering", "Registering"
        COMPLETED = "completed", "Completed"
        STOPPED = "stopped", "Stopped, kept"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    number = models.PositiveIntegerField()
    #: Also the name of the registered model, as a slug.
    name = models.CharField(max_length=80)
    method = models.CharField(max_length=3, choices=Method.choices)
    technique = models.CharField(max_length=6, choices=Technique.choices, default=Technique.LORA)
    status = models.CharField(max_length=11, choices=Status.choices, default=Status.DRAFT)
    #: In plain words: why it failed or waits, and what to do.
    status_reason = models.TextField(blank=True, default="")
    #: {"kind": "out_of_memory" | "disk" | "diverged" | "data" | "base" | "provider" | "worker" | "other",
    #:  "advice": […], "usable": "checkpoint 40 of 120 can be registered"}
    failure = models.JSONField(default=dict)

    # --- what it is to do ---
    #: {"kind": "embedded"} | {"kind": "folder", "name": …} | {"kind": "version", "id": …}
    #: | {"kind": "hosted", "provider": slug, "model": …}
    base = models.JSONField(default=dict)
    #: The base in the registry; set when the job starts, at the latest by its worker.
    base_version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    provider = models.ForeignKey(Provider, null=True, on_delete=models.PROTECT, related_name="+")
    training_set = models.ForeignKey(TrainingSet, null=True, on_delete=models.PROTECT, related_name="+")
    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="+")
    #: What renders the rows of a plain dataset (inputs and reference) into messages; SFT only.
    prompt_version = models.ForeignKey(PromptVersion, null=True, on_delete=models.PROTECT, related_name="+")
    preset = models.CharField(max_length=8, blank=True, default="balanced")
    #: All settings by name, see apps.training.planning.catalogue.
    settings = models.JSONField(default=dict)
    #: {} or {"trials": 6, "steps": 40, "objective": "eval_loss", "space": {"learning_rate": [1e-5, 1e-3], …}}
    sweep = models.JSONField(default=dict)
    #: {} or {"dataset_version": id, "split": "test", "limit": n, "prompt_version": id, "evaluators": [slugs],
    #:  "primary_metric": …, "slice": column}
    evaluation = models.JSONField(default=dict)
    #: Messages lists (at most eight) answered at each checkpoint.
    sample_prompts = models.JSONField(default=list)
    #: What the checks and the preview found; made by a worker: {"state": "pending|running|done|failed",
    #:  "made_of": hash, "problems": […], "rows": […], "counts": {…}, "lengths": {…},
    #:  "then_start": who wants it started when they are done}.
    checks = models.JSONField(default=dict)
    #: While they are made: when another worker may take them up.
    checks_until = models.DateTimeField(null=True)

    # --- reproducibility, written once at the first start ---
    seed = models.PositiveIntegerField(default=42)
    data_hash = models.CharField(max_length=64, blank=True, default="")
    #: {"packages": {…}, "python": …, "commit": …, "hardware": {…}, "worker": …, "device": "cpu", "dtype": …}
    environment = models.JSONField(default=dict)

    # --- how far it has come ---
    #: {"stage": "loading", "step": 12, "steps": 120, "epoch": 0.3, "trial": 2, "tokens": 10000,
    #:  "tokens_per_second": 512.0, "seconds_left": 300, "memory_bytes": …}
    progress = models.JSONField(default=dict)
    stop_requested = models.CharField(max_length=6, blank=True, default="")  # "keep" or "cancel"
    #: How often a worker has taken it up.
    attempt = models.PositiveIntegerField(default=0)
    #: Of these attempts, those before the last start or retry, or that a worker gave back: they count no more
    #: against giving the job up.
    attempts_before = models.PositiveIntegerField(default=0)
    #: Counts the claims: whoever holds an older number may write no more.
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=200, blank=True, default="")
    #: When a message for it was last sent, so that the sweep does not send one each time.
    offered_at = models.DateTimeField(null=True)
    #: Of a hosted job: {"file": id, "validation_file": id, "job": id, "event": last id seen, …}
    hosted = models.JSONField(default=dict)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: Seconds of training in all attempts.
    trained_s = models.FloatField(default=0)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL, related_name="jobs")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "number"), name="fine_tuning_job_number_once"),
        )
        indexes = (
            models.Index(fields=("project", "-id"), name="fine_tuning_job_by_project"),
            models.Index(
                fields=("checks_until",),
                name="fine_tuning_job_checked",
                condition=Q(checks_until__isnull=False),
            ),
            models.Index(
                fields=("id",),
                name="fine_tuning_job_at_work",
                condition=Q(status__in=("pending", "running", "stopping", "registering")),
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_over(self) -> bool:
        return self.status in (
            self.Status.COMPLETED,
            self.Status.STOPPED,
            self.Status.CANCELLED,
            self.Status.FAILED,
        )

    @property
    def may_go_on(self) -> bool:
        """What failed or was cancelled goes on from its last checkpoint, unless it would fail there again."""
        stands = self.status in (self.Status.FAILED, self.Status.CANCELLED)
        return stands and self.failure.get("kind") != "diverged"


class Trial(models.Model):
    """One try of a sweep; number 0 is the training itself, with the best settings or without a sweep."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        COMPLETED = "completed", "Completed"
        PRUNED = "pruned", "Stopped early"
        FAILED = "failed", "Failed"

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(FineTuningJob, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField()
    #: What the sweep chose: {"learning_rate": 2e-4, "lora_r": 16}.
    chosen = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State.choices, default=State.RUNNING)
    #: Of the sweep's objective; null until it is measured.
    value = models.FloatField(null=True)
    reason = models.TextField(blank=True, default="")
    seconds = models.FloatField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "number"), name="trial_number_once"),)

    def __str__(self) -> str:
        return f"{self.job_id} {self.number}"


class Checkpoint(UuidModel):
    """What a worker can go on from: all its files are in the file store before the row is written."""

    job = models.ForeignKey(FineTuningJob, on_delete=models.CASCADE, related_name="checkpoints")
    trial = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField()
    attempt = models.PositiveIntegerField()
    #: {path: {"sha256": …, "size": …}} below `folder` of the file store.
    files = models.JSONField(default=dict)
    folder = models.CharField(max_length=300)
    size_bytes = models.PositiveBigIntegerField(default=0)
    metrics = models.JSONField(default=dict)
    is_best = models.BooleanField(default=False)
    #: The files were removed to save room; the row stays, for the page.
    pruned_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "trial", "step"), name="checkpoint_once"),)

    def __str__(self) -> str:
        return f"{self.job_id} {self.step}"


class TrainingWorker(models.Model):
    """What a worker of the queue `gpu` says of its machine; it lives while its heartbeat does."""

    #: As in WorkerHeartbeat.
    name = models.CharField(primary_key=True, max_length=254)
    #: {"kind": "cpu" | "cuda" | "mps", "name": …, "memory_bytes": …, "bf16": …, "four_bit": …,
    #:  "disk_copies": 2 where the file store lies on the trainer's disk, else 1}
    device = models.JSONField(default=dict)
    cores = models.PositiveIntegerField(default=1)
    memory_bytes = models.PositiveBigIntegerField(default=0)
    disk_free_bytes = models.PositiveBigIntegerField(default=0)
    #: Measured by the probe: multiply-adds count as two.
    flops_per_second = models.FloatField(default=0)
    #: How long jobs really took by what was forecast for them, newest last: [1.12, 0.97, …] (at most 20).
    forecasts = models.JSONField(default=list)
    packages = models.JSONField(default=dict)
    announced_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
