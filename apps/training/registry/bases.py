"""What a job can begin from: the embedded model, folders of the workers' machines, registered versions.

The choices are read without loading a model, so the web process makes them too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from apps.core.actor import Actor
from apps.core.errors import ProductError
from apps.core.locks import transaction_lock
from apps.core.models import Project
from apps.providers.local_model.folder import (
    CONTEXT_WINDOW,
    MODEL_NAME,
    LocalModelUnavailable,
    is_installed,
    model_folder,
)
from apps.providers.local_model.weights import base_folder, fetch
from apps.training.models import ModelState, ModelVersion
from apps.training.registry.errors import BadWeights, BaseUnavailable
from apps.training.registry.folders import FolderFacts, look_into
from apps.training.registry.registering import NewVersion, model_name, version_add
from apps.training.registry.storing import hash_as_it_lies, place_of

Kind, Source = ModelVersion.Kind, ModelVersion.Source
EMBEDDED_LICENCE = "apache-2.0"
EMBEDDED_PARAMETERS = 134_515_008
#: Of SmolLM2-135M, as its config says; for estimates before it was ever converted.
EMBEDDED_ARCHITECTURE: dict[str, Any] = {
    "class": "LlamaForCausalLM",
    "model_type": "llama",
    "layers": 30,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "heads": 9,
    "vocabulary": 49152,
    "context_window": CONTEXT_WINDOW,
    "dtype": "float32",
}
_MOST_FOLDERS = 100
_MOST_VERSIONS = 200


@dataclass(frozen=True, slots=True)
class BaseChoice:
    """One choice. `base` is what FineTuningJob.base keeps, `key` the same as text for a form's field.

    `problem` says why it cannot be chosen; "" when it can. `architecture` is that of FolderFacts, whole.
    """

    base: dict[str, Any]
    key: str
    label: str
    parameters: int = 0
    architecture: dict[str, Any] = field(default_factory=dict)
    licence: str = ""
    problem: str = ""

    @property
    def context_window(self) -> int | None:
        return self.architecture.get("context_window")


def base_choices(project: Project) -> list[BaseChoice]:
    """All that jobs of the project can begin from, unusable folders included. One query."""
    return [_embedded(), *(_folder(path) for path in _folders()), *map(_version, versions_to_train(project))]


def base_choice(project: Project, base: dict[str, Any]) -> BaseChoice:
    """The choice that `base` means. Raises BaseUnavailable."""
    for choice in base_choices(project):
        if choice.base == base:
            return choice
    raise BaseUnavailable("This base model is not there any more. Choose another.")


def versions_to_train(project: Project) -> QuerySet[ModelVersion]:
    """Versions with weights of their own that are ready, newest first."""
    return (
        ModelVersion.objects.filter(
            project=project,
            kind__in=(Kind.ADAPTER, Kind.MERGED),
            state__state=ModelState.State.READY,
        )
        .select_related("base")
        .order_by("-id")[:_MOST_VERSIONS]
    )


def base_version_of(*, project: Project, base: dict[str, Any], by: Actor) -> ModelVersion:
    """The registered version of a base, registered now where it never was. In workers only: it hashes files.

    An adapter is first merged into its base, since an adapter stands on whole weights; the merged version is
    the base then. Raises BaseUnavailable, BadWeights.
    """
    kind = base.get("kind")
    if kind == "embedded":
        return _register_embedded(project, by)
    if kind == "folder":
        return _register_folder(project, str(base.get("name", "")), by)
    if kind == "version":
        return _whole_version(project, str(base.get("id", "")), by)
    raise BaseUnavailable(f"Weights of a base of kind {kind!r} are not on this machine.")


def weights_folder(version: ModelVersion) -> Path:
    """A whole model's folder on this machine, checked and ready to load. In workers only.

    Raises BaseUnavailable.
    """
    state = ModelState.objects.filter(version=version).first()
    if state is not None and state.state == ModelState.State.DELETED:
        raise BaseUnavailable(f"{version.full_name} was deleted; its weights are gone.")
    if version.source == Source.HOSTED:
        raise BaseUnavailable(f"{version.full_name} is hosted by its provider; its weights are not here.")
    if version.kind == Kind.ADAPTER:
        raise BaseUnavailable(f"{version.full_name} is an adapter: merge it with its base first.")
    return own_folder(version)


def own_folder(version: ModelVersion) -> Path:
    """The folder with the version's own files: an adapter's settings and weights, a whole model's."""
    try:
        return fetch(place_of(version), version.fingerprint)
    except LocalModelUnavailable as error:
        raise BaseUnavailable(str(error)) from error


def _folders() -> list[Path]:
    root: Path = settings.BASE_MODELS_DIR
    if not root.is_dir():
        return []
    found = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    return found[:_MOST_FOLDERS]


def importable_folders() -> list[str]:
    """Names of the folders that an import can be made from, adapters included."""
    return [path.name for path in _folders()]


def _embedded() -> BaseChoice:
    missing = "" if is_installed() else "The embedded model is not installed."
    return BaseChoice(
        base={"kind": "embedded"},
        key="embedded",
        label=f"{MODEL_NAME} (embedded)",
        parameters=EMBEDDED_PARAMETERS,
        architecture=EMBEDDED_ARCHITECTURE,
        licence=EMBEDDED_LICENCE,
        problem=missing,
    )


def _folder(path: Path) -> BaseChoice:
    base, key = {"kind": "folder", "name": path.name}, f"folder:{path.name}"
    try:
        facts = _facts(path, max((each.stat().st_mtime_ns for each in path.iterdir()), default=0))
    except (ProductError, OSError) as error:
        return BaseChoice(base, key, path.name, problem=str(error))
    if facts.kind != "whole":
        return BaseChoice(base, key, path.name, problem="It is an adapter: import it into the registry.")
    return BaseChoice(base, key, path.name, facts.parameters, facts.architecture, facts.licence)


@lru_cache(maxsize=256)
def _facts(path: Path, changed: int) -> FolderFacts:
    """Kept until a file of the folder changes: heads of many shards are not read for each page."""
    return look_into(path)


def _version(version: ModelVersion) -> BaseChoice:
    return BaseChoice(
        base={"kind": "version", "id": str(version.pk)},
        key=f"version:{version.pk}",
        label=f"{version.full_name} ({version.get_kind_display()})",
        parameters=version.parameters,
        architecture=version.architecture,
        licence=version.base_licence,
    )


def _register_embedded(project: Project, by: Actor) -> ModelVersion:
    try:
        folder = model_folder(settings.STACK.models).path
    except (LocalModelUnavailable, OSError) as error:
        raise BaseUnavailable(str(error)) from error
    wanted = NewVersion(
        name=model_name(MODEL_NAME), kind=Kind.BASE, source=Source.EMBEDDED, base_licence=EMBEDDED_LICENCE
    )
    return _register(project, folder, wanted, by)


def _register_folder(project: Project, name: str, by: Actor) -> ModelVersion:
    try:
        folder = base_folder(name)
    except LocalModelUnavailable as error:
        raise BaseUnavailable(str(error)) from error
    wanted = NewVersion(name=model_name(name), kind=Kind.BASE, source=Source.FOLDER, location=name)
    return _register(project, folder, wanted, by)


def _register(project: Project, folder: Path, wanted: NewVersion, by: Actor) -> ModelVersion:
    """The version of exactly these files; a folder whose files are others now is a further version."""
    from dataclasses import replace

    facts = look_into(folder)
    if facts.kind != "whole":
        raise BadWeights(f"{folder.name} is an adapter. Import it into the registry.")
    hashed = hash_as_it_lies(folder, facts)
    with transaction.atomic():
        transaction_lock(f"model base {project.pk} {wanted.name}")
        known = ModelVersion.objects.filter(
            project=project,
            name=wanted.name,
            kind=Kind.BASE,
            fingerprint=hashed.fingerprint,
            location=wanted.location,
            state__state=ModelState.State.READY,
        ).first()
        if known is not None:
            return known
        return version_add(
            project=project,
            by=by,
            wanted=replace(
                wanted,
                fingerprint=hashed.fingerprint,
                size_bytes=hashed.size_bytes,
                parameters=facts.parameters,
                architecture=facts.architecture,
                base_licence=wanted.base_licence or facts.licence,
                files=hashed.files,
            ),
        )


def _whole_version(project: Project, id: str, by: Actor) -> ModelVersion:
    try:
        found = ModelVersion.objects.filter(project=project, pk=UUID(id)).select_related("base").first()
    except ValueError:
        found = None
    state = ModelState.objects.filter(version=found).first() if found else None
    if found is None or state is None or state.state != ModelState.State.READY:
        raise BaseUnavailable("The registered version to begin from is not there, or not in use any more.")
    if found.source == Source.HOSTED:
        raise BaseUnavailable(f"{found.full_name} is hosted by its provider; its weights are not here.")
    if found.kind != Kind.ADAPTER:
        return found
    from apps.training.registry.merge_copies import merged_version

    return merged_version(found, by=by)
