"""Deciding by a comparison: a label moves to the prompt version of one of its runs, with the figures kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction

from apps.core.actor import Actor
from apps.core.errors import Conflict, InvalidInput
from apps.evaluations.comparisons.decision_evidence import Evidence, evidence_of
from apps.evaluations.comparisons.state import ComparisonState
from apps.evaluations.models import EvalRun
from apps.prompts.label_services import label_set
from apps.prompts.labels import clean_label
from apps.prompts.models import Prompt, PromptLabel, PromptVersion

#: Prompt slug → label → the number of the version it points to.
Labels = Mapping[str, Mapping[str, int]]


class ReasonNeeded(InvalidInput):
    """The figures do not support the choice, and nobody said why it is made all the same."""

    code = "reason_needed"
    title = "This choice needs a reason"


class NoVersion(InvalidInput):
    code = "no_prompt_version"
    title = "This run has no prompt version"


class LabelMoved(Conflict):
    """Somebody moved the label since the person who decides looked at it."""

    code = "label_moved"
    title = "The label was moved meanwhile"


class AlreadyThere(Conflict):
    code = "label_already_there"
    title = "The label points there already"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided; `before` is the version that the label pointed to, None for a new label."""

    label: PromptLabel
    version: PromptVersion
    before: PromptVersion | None
    evidence: Evidence


def comparison_decide(
    *,
    state: ComparisonState,
    by: Actor,
    run: EvalRun,
    label: str,
    reason: str = "",
    seen: Labels | None = None,
) -> Decision:
    """Point `label` of the run's prompt to the run's version, with the comparison as the evidence kept.

    `seen` is where the labels pointed when the person looked; None skips that check. Raises NoVersion,
    ReasonNeeded, AlreadyThere, LabelMoved, and what `label_set` raises (LabelProtected among it).
    """
    evidence = next((each for each in evidence_of(state) if each.run == run), None)
    if evidence is None:
        raise InvalidInput("This run is not part of the comparison.", fields={"run": ["Not compared here."]})
    version = run.prompt_version
    if version is None:
        raise NoVersion(evidence.no_version, fields={"run": [evidence.no_version]})
    label, reason = clean_label(label), reason.strip()
    if evidence.doubts and not reason:
        text = f"{' '.join(evidence.doubts)} Say why it is chosen all the same."
        raise ReasonNeeded(text, fields={"reason": [text]})
    with transaction.atomic():
        prompt = Prompt.objects.select_for_update(no_key=True).get(pk=version.prompt_id)
        held = prompt.labels.select_related("version").filter(name=label).first()
        before = held.version if held else None
        _check(prompt, label, before, version, seen)
        moved = label_set(
            prompt=prompt,
            by=by,
            name=label,
            version=version,
            reason=reason,
            evidence=evidence.kept(state),
        )
    return Decision(label=moved, version=version, before=before, evidence=evidence)


def labels_now(runs: Iterable[EvalRun]) -> dict[str, dict[str, int]]:
    """Where the labels of the runs' prompts point now; one query."""
    prompts = {run.prompt_version.prompt_id for run in runs if run.prompt_version is not None}
    found: dict[str, dict[str, int]] = {}
    rows = PromptLabel.objects.filter(prompt__in=prompts).order_by("name")
    for slug, name, number in rows.values_list("prompt__slug", "name", "version__number"):
        found.setdefault(slug, {})[name] = number
    return found


def _check(
    prompt: Prompt, label: str, before: PromptVersion | None, version: PromptVersion, seen: Labels | None
) -> None:
    if before == version:
        raise AlreadyThere(f"“{label}” of {prompt.name} points to version {version.number} already.")
    if seen is None:
        return
    now, then = before.number if before else None, seen.get(prompt.slug, {}).get(label)
    if now != then:
        was = "there was no such label" if then is None else f"it pointed to version {then}"
        be = "it is gone" if now is None else f"it points to version {now}"
        raise LabelMoved(
            f"Somebody moved “{label}” of {prompt.name} since you opened this: {was}, now {be}. Nothing was "
            "changed. Look again, then decide."
        )
