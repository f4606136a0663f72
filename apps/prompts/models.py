"""Prompts, their versions that never change, and the labels that point to a version."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper

from apps.core.models import AuthoredModel, ProjectRow, UuidModel


class Prompt(ProjectRow, AuthoredModel):
    """A prompt by name. The slug is made from the first name and never changes; name and folder may."""

    slug = models.CharField(max_length=80)
    name = models.CharField(max_length=120)
    folder = models.CharField(max_length=200, blank=True, default="")
    tags = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "slug"), name="one_prompt_per_slug"),)
        indexes = (
            models.Index(fields=("project", "-changed_at", "-id"), name="prompt_by_change"),
            models.Index(fields=("project", "name", "id"), name="prompt_by_name"),
            models.Index(fields=("project", "folder"), name="prompt_by_folder"),
            GinIndex(fields=("tags",), name="prompt_by_tag"),
        )

    def __str__(self) -> str:
        return self.name


class PromptVersion(UuidModel, AuthoredModel):
    """One saved state of a prompt. The database refuses to change it.

    `messages`, `parameters` and `tools` have the shapes of `apps.prompts.messages`; `variables` are the names
    the messages use, placeholders included; `search_text` is their text and the commit message,
    for the list's search.
    """

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    messages = models.JSONField()
    parameters = models.JSONField(default=dict)
    tools = models.JSONField(default=list)
    response_schema = models.JSONField(null=True, blank=True)
    #: What each included prompt resolved to when this version was saved, by the reference as it is written:
    #: {"tone@production": {"prompt": slug, "version": number, "version_id": id, "text": template, "includes":
    #: {reference in that text: key}}, …}; what an included prompt includes itself stands under "slug@number".
    includes = models.JSONField(default=dict)
    variables = ArrayField(models.TextField(), default=list)
    commit_message = models.CharField(max_length=500, blank=True, default="")
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="children",
    )
    search_text = models.TextField(blank=True, default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("prompt", "number"), name="one_version_per_number"),)
        indexes = (
            GinIndex(
                OpClass(Upper("search_text"), "gin_trgm_ops"),
                name="prompt_version_text",
            ),
            models.Index(fields=("prompt", "-number"), name="prompt_version_latest"),
            GinIndex(fields=("includes",), name="prompt_version_includes"),
        )

    def __str__(self) -> str:
        return f"{self.prompt.name} version {self.number}"

    @property
    def model_name(self) -> str:
        """The model as "provider/model", empty when the version names none."""
        return str(self.parameters.get("model", ""))


class PromptLabel(UuidModel):
    """A name, such as `production`, that points to one version of a prompt and can be moved."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=60)
    version = models.ForeignKey(PromptVersion, on_delete=models.RESTRICT, related_name="labels")
    moved_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("prompt", "name"), name="one_version_per_label"),)

    def __str__(self) -> str:
        return self.name


class PromptLabelMove(UuidModel, AuthoredModel):
    """A label was set, moved or removed: from which version, to which, by whom, and why. Never changed."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="label_moves")
    name = models.CharField(max_length=60)
    from_version = models.ForeignKey(PromptVersion, null=True, on_delete=models.RESTRICT, related_name="+")
    to_version = models.ForeignKey(PromptVersion, null=True, on_delete=models.RESTRICT, related_name="+")
    reason = models.CharField(max_length=500, blank=True, default="")
    #: What the move rests on, as whoever moved it gave it: {"sentence", "title", "page", …}.
    evidence = models.JSONField(null=True)

    class Meta:
        indexes = (models.Index(fields=("prompt", "-id"), name="label_moves_of_prompt"),)


class ProtectedLabel(ProjectRow):
    """A label name that only an approver may set, move or remove in this project."""

    name = models.CharField(max_length=60)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "name"), name="label_protected_once"),)

    def __str__(self) -> str:
        return self.name
