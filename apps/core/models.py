"""People, projects, keys, and the audit log; and the base classes of every other room's rows."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from uuid_utils.compat import uuid7

from apps.core.actor import Actor
from apps.core.roles import Role


def new_id() -> uuid.UUID:
    """A UUID of version 7: unique everywhere, and in order of creation."""
    return uuid7()


class UuidModel(models.Model):
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True


class AuthoredModel(models.Model):
    """Who made a row, kept as text so that it outlives the account."""

    author_kind = models.CharField(max_length=16, default="system")
    author_id = models.CharField(max_length=64, blank=True, default="")
    author_label = models.CharField(max_length=254, blank=True, default="")

    class Meta:
        abstract = True

    @staticmethod
    def author_fields(by: Actor) -> dict[str, str]:
        return {"author_kind": by.kind, "author_id": by.id, "author_label": by.label}


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_superuser=True, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person, named by email. A superuser makes projects, and is admin of each."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    #: News (a run ended or paused) come by mail too, where a mail server is set.
    wants_mail = models.BooleanField(default=True)
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = (models.UniqueConstraint(Lower("email"), name="user_email_any_case"),)

    def __str__(self) -> str:
        return self.email


class Project(UuidModel):
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=120)
    archived_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class ProjectRow(UuidModel):
    """A row that belongs to a project; every query for it starts from the project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")

    class Meta:
        abstract = True


class Membership(ProjectRow):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=Role.choices)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "user"), name="one_membership_per_person"),)

    def __str__(self) -> str:
        return self.user.email

    @property
    def role_name(self) -> str:
        return Role(self.role).label


class OneTimeLink(UuidModel):
    """A link that lets its holder do one thing once: be the first admin, join a project, reset a password.

    Only the SHA-256 of its token is kept.
    """

    class Purpose(models.TextChoices):
        FIRST_ADMIN = "first_admin"
        INVITATION = "invitation"
        PASSWORD_RESET = "password_reset"  # noqa: S105  # a purpose, no password

    purpose = models.CharField(max_length=20, choices=Purpose.choices)
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    role = models.PositiveSmallIntegerField(null=True, blank=True, choices=Role.choices)
    email = models.EmailField(blank=True)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    made_by = models.CharField(max_length=254, blank=True)

    def __str__(self) -> str:
        return self.email or self.purpose

    @property
    def role_name(self) -> str:
        return Role(self.role).label if self.role else ""


class ApiKey(ProjectRow):
    """A key of a project; the key itself is shown once, and only its SHA-256 is kept."""

    name = models.CharField(max_length=120)
    role = models.PositiveSmallIntegerField(choices=Role.choices)
    prefix = models.CharField(max_length=16)
    key_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    made_by = models.CharField(max_length=254, blank=True)

    def __str__(self) -> str:
        return self.name

    @property
    def role_name(self) -> str:
        return Role(self.role).label

    @property
    def state(self) -> str:
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= timezone.now():
            return "expired"
        return "active"


class AuditEvent(UuidModel):
    """Who did what, when, from where, and what was there before and after. The database refuses changes."""

    # db_constraint=False: the log outlives what it tells of, and may not be touched by a cascade.
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=254)
    address = models.CharField(max_length=64, blank=True)
    action = models.CharField(max_length=80)
    target_type = models.CharField(max_length=80)
    target_id = models.CharField(max_length=64)
    target_label = models.CharField(max_length=254, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)

    class Meta:
        indexes = (
            models.Index(fields=("project", "-id"), name="audit_by_project"),
            models.Index(fields=("project", "action", "-id"), name="audit_by_action"),
        )

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_label}"


class WorkerHeartbeat(models.Model):
    """A worker process says that it lives, and which queues it serves."""

    name = models.CharField(max_length=200, unique=True)
    queues = ArrayField(models.CharField(max_length=40))
    pid = models.IntegerField()
    address = models.CharField(max_length=254, blank=True)
    current_task = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.name


class IdempotencyRecord(ProjectRow):
    """What a creation answered to an Idempotency-Key, so that a repeat answers the same."""

    key = models.CharField(max_length=200)
    route = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("project", "route", "key"), name="one_answer_per_idempotency_key"
            ),
        )
        indexes = (models.Index(fields=("created_at",), name="idempotency_by_age"),)

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class Notification(UuidModel):
    """News for one person: shown at the bell, and sent by mail where one is due."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notifications")
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="+")
    #: What happened; the same news comes once to each person, however often it is told.
    key = models.CharField(max_length=120)
    tone = models.CharField(max_length=12, default="neutral")
    title = models.CharField(max_length=254)
    text = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True)
    read_at = models.DateTimeField(null=True)
    #: When to try to send it by mail; null when there is nothing (more) to send.
    mail_due_at = models.DateTimeField(null=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "key"), name="news_once_a_person"),)
        indexes = (
            models.Index(fields=("user", "-id"), name="news_of_person"),
            models.Index(fields=("user",), name="news_unread", condition=models.Q(read_at=None)),
            models.Index(
                fields=("mail_due_at",),
                name="news_to_mail",
                condition=models.Q(mail_due_at__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.title


class ProjectWebhook(ProjectRow, AuthoredModel):
    """A URL that is told of a project's events, with a signature made with its secret."""

    name = models.CharField(max_length=120)
    url = models.CharField(max_length=500)
    #: Encrypted by apps.core.crypto; shown once, when the webhook is made.
    secret = models.TextField()
    events = ArrayField(models.CharField(max_length=40))
    removed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=("project", "-id"), name="webhook_by_project"),)

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(UuidModel):
    """One event for one webhook: what is sent, how often it was tried, and what came back."""

    class Status(models.TextChoices):
        PENDING = "pending"
        COMPLETED = "completed"
        FAILED = "failed"

    webhook = models.ForeignKey(ProjectWebhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=40)
    #: What happened; the same event goes once to each webhook, however often it is told.
    key = models.CharField(max_length=120)
    body = models.JSONField()
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("webhook", "key"), name="event_once_a_webhook"),)
        indexes = (
            models.Index(fields=("webhook", "-id"), name="delivery_by_webhook"),
            models.Index(
                fields=("next_attempt_at",), name="delivery_due", condition=models.Q(status="pending")
            ),
        )

    def __str__(self) -> str:
        return f"{self.event} {self.status}"
