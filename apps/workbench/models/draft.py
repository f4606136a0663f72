"""What somebody is typing, kept while it is typed."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.core.models import ProjectRow
from apps.prompts.models import Prompt


class Draft(ProjectRow):
    """A person's workbench of one prompt: columns, values and all, as the page holds them.

    `revision` counts the saves, so that two pages of the same person do not overwrite each other unseen;
    `page` is the loaded page that kept it last, and `turn` its own count of what it sent. A discarded draft
    has an empty document.
    """

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="drafts")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    document = models.JSONField()
    revision = models.PositiveIntegerField(default=1)
    page = models.UUIDField(null=True)
    turn = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("prompt", "owner"), name="one_draft_per_person"),)

    @property
    def is_discarded(self) -> bool:
        return not self.document
