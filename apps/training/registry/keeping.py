"""What is learnt about a version, or done with it: descriptions, notes, archiving, deleting."""

from __future__ import annotations

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import InvalidInput
from apps.training.models import ModelNote, ModelState, ModelVersion
from apps.training.registry.errors import VersionInUse, WrongState
from apps.training.registry.serving import hosted_again, model_retire, model_serve
from apps.training.registry.storing import remove
from apps.training.registry.uses import uses_of

State = ModelState.State
LONGEST_NOTE = 10_000


def version_describe(*, version: ModelVersion, by: Actor, description: str) -> ModelState:
    text = _text(description, "description")
    with transaction.atomic():
        state = _locked(version)
        before, state.description = state.description, text
        state.save(update_fields=["description", "changed_at"])
        audit(
            by,
            "model_version.describe",
            version,
            project=version.project,
            before={"description": before},
            after={"description": text},
        )
    return state


def note_add(*, version: ModelVersion, by: Actor, text: str) -> ModelNote:
    text = _text(text, "text")
    if not text:
        raise InvalidInput("The note is empty.", fields={"text": ["Write something."]})
    with transaction.atomic():
        note = ModelNote.objects.create(version=version, text=text, **ModelNote.author_fields(by))
        audit(by, "model_version.note", version, project=version.project, after={"text": text[:200]})
    return note


def version_archive(*, version: ModelVersion, by: Actor) -> ModelState:
    """Take a version out of use; its files stay. Raises VersionInUse, WrongState."""
    with transaction.atomic():
        state = _locked(version)
        if state.state != State.READY:
            raise WrongState(f"{version.full_name} is {state.state}.")
        _refuse_embedded(version)
        _refuse_used(version)
        _retire(version, state)
        state.state = State.ARCHIVED
        state.save(update_fields=["state", "model", "changed_at"])
        audit(by, "model_version.archive", version, project=version.project)
    return state


def version_restore(*, version: ModelVersion, by: Actor) -> ModelState:
    """Serve an archived version again. Raises WrongState where it, or what it stands on, is not there."""
    with transaction.atomic():
        state = _locked(version)
        if state.state != State.ARCHIVED:
            raise WrongState(f"{version.full_name} is {state.state}, not archived.")
        base = version.base
        needs = base if version.kind == ModelVersion.Kind.ADAPTER else None
        if needs is not None and needs.state.state == State.DELETED:
            raise WrongState(f"{needs.full_name}, which it stands on, was deleted.")
        hosted = version.source == ModelVersion.Source.HOSTED
        state.model = hosted_again(version, state.model) if hosted else model_serve(version, by=by)
        state.state = State.READY
        state.save(update_fields=["state", "model", "changed_at"])
        audit(by, "model_version.restore", version, project=version.project)
    return state


def version_delete(*, version: ModelVersion, by: Actor, even_so: bool = False) -> ModelState:
    """Delete a version's files for good. Its row, measurements and notes stay, so that runs and lineage can
    be read. Of a base in a folder no file is touched: it is only served no more.

    Raises VersionInUse while something stands on it, and, unless `even_so`, while anything names it.
    """
    with transaction.atomic():
        state = _locked(version)
        if state.state == State.DELETED:
            raise WrongState(f"{version.full_name} was deleted already.")
        _refuse_embedded(version)
        _refuse_used(version, even_so=even_so)
        _retire(version, state)
        state.model = None
        state.state = State.DELETED
        state.save(update_fields=["state", "model", "changed_at"])
        stored = list(version.files.exclude(stored_as="").values_list("stored_as", flat=True))
        audit(
            by,
            "model_version.delete",
            version,
            project=version.project,
            before={"fingerprint": version.fingerprint, "size_bytes": version.size_bytes},
        )
        transaction.on_commit(lambda: remove(stored), robust=True)
    return state


def _locked(version: ModelVersion) -> ModelState:
    rows = ModelState.objects.select_for_update(no_key=True, of=("self",)).select_related("model__provider")
    state = rows.get(version=version)
    version.state = state
    return state


def _retire(version: ModelVersion, state: ModelState) -> None:
    """What a provider offers of itself stays usable; the registry only stops speaking of it. Which of them it
    was is kept: several providers may have a model of the name."""
    hosted = version.source == ModelVersion.Source.HOSTED
    if state.model is not None and (not hosted or version.base_id is not None):
        model_retire(state.model)
    if not hosted:
        state.model = None


def _refuse_embedded(version: ModelVersion) -> None:
    if version.source == ModelVersion.Source.EMBEDDED:
        raise VersionInUse("The embedded model comes with the installation and stays.")


def _refuse_used(version: ModelVersion, *, even_so: bool = True) -> None:
    uses = uses_of(version)
    blocking = [use.text for use in uses if use.blocks]
    if blocking:
        raise VersionInUse(f"{version.full_name} is in use: {'; '.join(blocking)}.", uses=blocking)
    if uses and not even_so:
        told = [use.text for use in uses]
        raise VersionInUse(f"{version.full_name} is still named: {'; '.join(told)}.", uses=told)


def _text(text: str, field: str) -> str:
    text = text.replace("\x00", "").strip()
    if len(text) > LONGEST_NOTE:
        wrong = f"At most {LONGEST_NOTE:,} characters."
        raise InvalidInput(wrong, fields={field: [wrong]})
    return text
