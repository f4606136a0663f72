"""What the page frame shows on every page: project switch, navigation, role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.core.models import Project, User
from apps.core.roles import Role
from apps.core.selectors import projects_of


@dataclass(frozen=True)
class NavItem:
    group: str
    label: str
    icon: str
    url: str
    active: bool
    key: str


@dataclass(frozen=True)
class Shell:
    user: User | None = None
    project: Project | None = None
    projects: tuple[Project, ...] = ()
    nav: tuple[NavItem, ...] = ()
    role: Role | None = None


#: group, label, icon, URL name, how the URL names begin under which it is lit (one or several), least role,
#: and the keys that lead there
_NAVIGATION = (
    (
        "Build",
        "Prompts",
        "message-2-code",
        "prompts:list",
        ("prompts:", "workbench:"),
        Role.VIEWER,
        "g p",
    ),
    ("Build", "Datasets", "table", "datasets:list", "datasets:", Role.VIEWER, "g d"),
    (
        "Measure",
        "Evaluators",
        "ruler-measure",
        "evaluations:evaluator-list",
        "evaluations:evaluator",
        Role.VIEWER,
        "g e",
    ),
    ("Measure", "Runs", "player-play", "evaluations:run-list", "evaluations:run", Role.VIEWER, "g r"),
    (
        "Measure",
        "Comparisons",
        "scale",
        "evaluations:comparison-list",
        "evaluations:comparison",
        Role.VIEWER,
        "g c",
    ),
    ("Improve", "Traces", "list-tree", "traces:list", "traces:", Role.VIEWER, "g t"),
    (
        "Improve",
        "Feedback",
        "thumb-up",
        "feedback:overview",
        ("feedback:overview", "feedback:feedback", "feedback:chat", "feedback:settings"),
        Role.VIEWER,
        "g f",
    ),
    ("Improve", "Queues", "checklist", "feedback:queue-list", "feedback:queue", Role.VIEWER, "g q"),
    (
        "Improve",
        "Training sets",
        "school",
        "feedback:training-list",
        "feedback:training",
        Role.VIEWER,
        "g x",
    ),
    ("Improve", "Fine-tuning", "adjustments", "training:job-list", "training:job", Role.VIEWER, "g j"),
    (
        "Improve",
        "Models",
        "box-model-2",
        "training:model-list",
        ("training:model", "training:policy"),
        Role.VIEWER,
        "g o",
    ),
    ("Project", "Providers", "plug-connected", "providers:list", "providers:", Role.VIEWER, "g v"),
    ("Project", "Members", "users", "core:members", "core:member", Role.VIEWER, "g m"),
    ("Project", "API keys", "key", "core:api-keys", "core:api-key", Role.ADMIN, "g k"),
    ("Project", "Audit log", "history", "core:audit", "core:audit", Role.ADMIN, "g a"),
    ("Project", "Settings", "settings", "core:project-settings", "core:project-settings", Role.ADMIN, "g s"),
)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Template context `shell`. Fragments (htmx) do not draw the frame, so they get an empty one."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated or getattr(request, "htmx", False):
        return {"shell": Shell()}
    project = getattr(request, "project", None)
    membership = getattr(request, "membership", None)
    role = Role(membership.role) if membership else None
    return {
        "shell": Shell(
            user=user,
            project=project,
            projects=tuple(projects_of(user)),
            nav=_navigation(request, project, role) if project and role else (),
            role=role,
        )
    }


def _navigation(request: HttpRequest, project: Project, role: Role) -> tuple[NavItem, ...]:
    here = request.resolver_match.view_name if request.resolver_match else ""
    return tuple(
        NavItem(group, label, icon, reverse(name, args=[project.slug]), here.startswith(prefix), key)
        for group, label, icon, name, prefix, least, key in _NAVIGATION
        if role >= least
    )
