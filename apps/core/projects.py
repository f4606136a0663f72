"""Hooks by which higher rooms take part in a new project's making."""

from __future__ import annotations

from collections.abc import Callable

from apps.core.actor import Actor
from apps.core.models import Project

ProjectHook = Callable[[Project, Actor], None]
_created: list[ProjectHook] = []


def on_project_created(hook: ProjectHook) -> ProjectHook:
    """Register a function that runs in the transaction which makes a project (from an AppConfig.ready)."""
    if hook not in _created:
        _created.append(hook)
    return hook


def run_created_hooks(project: Project, by: Actor) -> None:
    for hook in _created:
        hook(project, by)
