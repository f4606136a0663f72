"""Reading feedback for backends."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.feedback.models import Feedback
from apps.feedback.thumbs.rules import THUMBS
from apps.prompts.selectors import prompt_get


def feedback_search(
    *, project: Project, prompt: str = "", version: str = "", thumb: str = "", state: str = ""
) -> QuerySet[Feedback]:
    """What was said and not withdrawn, narrowed to a prompt's slug, its version's number, "up" or "down", and
    a state. Raises InvalidInput for what none of them can be, NotFound for an unknown prompt."""
    found = Feedback.objects.filter(project=project, withdrawn_at=None).select_related(
        "prompt", "prompt_version"
    )
    if prompt:
        found = found.filter(prompt=prompt_get(project=project, slug=prompt))
    if version:
        if not prompt or not version.isascii() or not version.isdigit() or len(version) > 9:
            raise _invalid("version", "A version is a number, and goes with a prompt.")
        found = found.filter(prompt_version__number=int(version))
    if thumb:
        if thumb not in THUMBS:
            raise _invalid("thumb", "A thumb is “up” or “down”.")
        found = found.filter(thumb=THUMBS[thumb])
    if state:
        if state not in Feedback.State.values:
            raise _invalid("state", f"A state is one of {', '.join(Feedback.State.values)}.")
        found = found.filter(state=state)
    return found


def _invalid(name: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={name: [text]})
