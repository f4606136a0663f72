"""Setting, moving, removing and protecting labels."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.errors import LabelProtected, VersionNotFound
from apps.prompts.labels import clean_label
from apps.prompts.models import (
    Prompt,
    PromptLabel,
    PromptLabelMove,
    PromptVersion,
    ProtectedLabel,
)

_MAX_REASON = 500


def label_set(
    *,
    prompt: Prompt,
    by: Actor,
    name: str,
    version: PromptVersion,
    reason: str = "",
    evidence: dict[str, Any] | None = None,
) -> PromptLabel:
    """Point the label `name` to `version`: a new label, or an old one moved. No-op where it points there.

    `evidence` is what the move rests on, as JSON; it is kept in the label's history and in the audit log. The
    history shows its "sentence", and a link to its "page" called by its "title".

    Raises InvalidInput, VersionNotFound for another prompt's version, and LabelProtected when the label is
    protected and `by` is no approver.
    """
    name = clean_label(name)
    if version.prompt_id != prompt.pk:
        raise VersionNotFound(f"That version is not one of “{prompt.name}”.")
    with transaction.atomic():
        _lock_and_check(prompt, by, name)
        label = prompt.labels.select_related("version").filter(name=name).first()
        before = label.version if label else None
        if label is not None and before == version:
            return label
        if label is None:
            label = PromptLabel(prompt=prompt, name=name)
        label.version = version
        label.save()
        _record(prompt, by, name, before, version, reason, evidence)
        after = {"prompt": prompt.slug, "version": version.number, "reason": reason}
        audit(
            by,
            "prompt_label.set",
            label,
            project=prompt.project,
            before={
                "prompt": prompt.slug,
                "version": before.number if before else None,
            },
            after=after if evidence is None else {**after, "evidence": evidence},
        )
    return label


def label_remove(*, prompt: Prompt, by: Actor, name: str, reason: str = "") -> None:
    """Take the label away; its history stays. No-op where there is none."""
    with transaction.atomic():
        _lock_and_check(prompt, by, name)
        label = prompt.labels.select_related("version").filter(name=name).first()
        if label is None:
            return
        before = {"prompt": prompt.slug, "version": label.version.number}
        audit(
            by,
            "prompt_label.remove",
            label,
            project=prompt.project,
            before=before,
            after={"reason": reason},
        )
        _record(prompt, by, name, label.version, None, reason)
        label.delete()


def _lock_and_check(prompt: Prompt, by: Actor, name: str) -> None:
    # Moves of one prompt's labels come one by one.
    Prompt.objects.select_for_update(no_key=True).get(pk=prompt.pk)
    protected = ProtectedLabel.objects.filter(project=prompt.project_id, name=name).exists()
    if protected and not by.may(Role.APPROVER):
        raise LabelProtected(
            f"“{name}” is a protected label: only an approver or an admin may move it. Ask one of them.",
            label=name,
        )


def _record(
    prompt: Prompt,
    by: Actor,
    name: str,
    before: PromptVersion | None,
    after: PromptVersion | None,
    reason: str,
    evidence: dict[str, Any] | None = None,
) -> None:
    if len(reason) > _MAX_REASON:
        raise InvalidInput(
            f"A reason has at most {_MAX_REASON} characters.",
            fields={"reason": [f"At most {_MAX_REASON} characters."]},
        )
    PromptLabelMove.objects.create(
        prompt=prompt,
        name=name,
        from_version=before,
        to_version=after,
        reason=reason.strip(),
        evidence=evidence,
        **PromptLabelMove.author_fields(by),
    )


def label_protect(*, project: Project, by: Actor, name: str) -> ProtectedLabel:
    """From now on only approvers move this label, on every prompt of the project."""
    name = clean_label(name)
    with transaction.atomic():
        protected, made = ProtectedLabel.objects.get_or_create(project=project, name=name)
        if made:
            audit(
                by,
                "protected_label.create",
                protected,
                project=project,
                after={"name": name},
            )
    return protected


def label_unprotect(*, project: Project, by: Actor, name: str) -> None:
    with transaction.atomic():
        for protected in ProtectedLabel.objects.select_for_update().filter(project=project, name=name):
            audit(
                by,
                "protected_label.delete",
                protected,
                project=project,
                before={"name": name},
            )
            protected.delete()
