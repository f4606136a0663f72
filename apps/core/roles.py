"""The five roles of a project's members, each with all that the one before it may."""

from __future__ import annotations

from django.db import models


class Role(models.IntegerChoices):
    """Ordered: a higher role may do all that a lower one may, so compare with `>=`."""

    VIEWER = 1, "viewer"
    ANNOTATOR = 2, "annotator"
    EDITOR = 3, "editor"
    APPROVER = 4, "approver"
    ADMIN = 5, "admin"

    @classmethod
    def from_name(cls, name: str) -> Role:
        """The role with this name; ValueError when there is none."""
        for role in cls:
            if role.label == name:
                return role
        raise ValueError(f"There is no role {name!r}; roles are {', '.join(cls.labels)}.")
