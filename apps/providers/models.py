"""Where models are called: providers with their credentials, the models they offer, and tests of both."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import Index
from django.db.models.functions import Lower
from django.utils import timezone

from apps.core.models import AuthoredModel, ProjectRow, UuidModel
from apps.providers.connection import FAKE, LOCAL, OPENAI
from apps.providers.prices import Price

#: A test that no worker finished after this long is taken for lost.
TEST_OVERDUE_AFTER = timedelta(minutes=5)


class Provider(ProjectRow, AuthoredModel):
    class Kind(models.TextChoices):
        OPENAI = OPENAI, "OpenAI-compatible endpoint"
        LOCAL = LOCAL, "Embedded model"
        FAKE = FAKE, "Fake (answers by rule, for trying out)"

    slug = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    base_url = models.CharField(max_length=500, blank=True, default="")
    #: Encrypted by apps.core.crypto; "" for none. Never shown, never logged.
    credential = models.TextField(blank=True, default="")
    max_concurrency = models.PositiveSmallIntegerField(default=8)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    #: Input and output together.
    tokens_per_minute = models.PositiveIntegerField(null=True, blank=True)
    timeout_s = models.PositiveSmallIntegerField(default=120)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("project", "slug"), name="one_provider_per_slug"),
            models.UniqueConstraint(
                "project",
                Lower("name"),
                condition=models.Q(archived_at=None),
                name="one_active_provider_per_name",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def has_credential(self) -> bool:
        return bool(self.credential)


class Model(UuidModel):
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="models")
    name = models.CharField(max_length=200)
    #: In tokens; null when nobody said.
    context_window = models.PositiveIntegerField(null=True, blank=True)
    #: US dollars per million tokens, typed in by a person; null: the list price holds.
    input_price = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    output_price = models.DecimalField(max_digits=14, decimal_places=6, null=True, blank=True)
    #: When the provider itself last listed it; null for one that was typed in.
    discovered_at = models.DateTimeField(null=True, blank=True)
    #: Of a registered model that was archived or deleted: nothing may name it any more.
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("provider", "name"), name="one_model_per_name"),
            models.CheckConstraint(
                condition=models.Q(input_price=None, output_price=None)
                | models.Q(input_price__gte=0, output_price__gte=0),
                name="both_model_prices_or_none",
            ),
        )

    def __str__(self) -> str:
        return self.full_name

    @property
    def full_name(self) -> str:
        """As prompts write it: "provider/model"."""
        return f"{self.provider.slug}/{self.name}"

    @property
    def price_override(self) -> Price | None:
        if self.input_price is None or self.output_price is None:
            return None
        return Price(self.input_price, self.output_price)


class ModelWeights(models.Model):
    """Weights that the local provider serves under a model's name, beside the one that is embedded.

    A place is {"kind": "embedded"}, {"kind": "folder", "name", "files"} for a folder of the workers'
    machines, or {"kind": "stored", "files"} for the file store; `files` is
    {path: {"sha256", "size", "stored_as"}}.
    """

    class Kind(models.TextChoices):
        ADAPTER = "adapter"
        WHOLE = "whole"

    model = models.OneToOneField(Model, primary_key=True, on_delete=models.CASCADE, related_name="weights")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    place = models.JSONField()
    #: Of an adapter: the place of what it stands on, and that one's fingerprint.
    base = models.JSONField(default=dict)
    base_fingerprint = models.CharField(max_length=64, blank=True, default="")
    #: SHA-256 over paths and hashes of all files, hex.
    fingerprint = models.CharField(max_length=64)

    def __str__(self) -> str:
        return str(self.model_id)


class ConnectionTest(UuidModel, AuthoredModel):
    class Status(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        OK = "ok"
        FAILED = "failed"

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="tests")
    #: A model to call once, beside listing them all; "" for none.
    model_name = models.CharField(max_length=200, blank=True, default="")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    message = models.TextField(blank=True, default="")
    error_kind = models.CharField(max_length=32, blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)
    #: Names of the models that were listed. Last, since it hides the module of that name.
    models = models.JSONField(default=list)

    class Meta:
        indexes = (Index(fields=("provider", "-id"), name="newest_test_of_provider"),)

    def __str__(self) -> str:
        return f"{self.provider_id} {self.status}"

    @property
    def is_finished(self) -> bool:
        return self.status in (self.Status.OK, self.Status.FAILED)

    @property
    def is_overdue(self) -> bool:
        return not self.is_finished and timezone.now() - self.created_at > TEST_OVERDUE_AFTER
