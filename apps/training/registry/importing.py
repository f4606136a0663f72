"""Taking in an adapter or a model: an uploaded zip, or a folder below the folder of base models.

Nothing of it is loaded: heads of safetensors and JSON are read, in a worker, and all must fit before the
first file is kept.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.authors import actor_of
from apps.core.errors import InvalidInput, TooLarge
from apps.core.models import Project, new_id
from apps.providers.local_model.folder import LocalModelUnavailable
from apps.providers.local_model.weights import base_folder
from apps.training.models import ModelVersion, RegistryWork
from apps.training.registry.bases import base_choice, base_version_of, weights_folder
from apps.training.registry.errors import BadWeights, BaseUnavailable
from apps.training.registry.fitting import fits
from apps.training.registry.folders import FolderFacts, look_into
from apps.training.registry.registering import NewVersion, architecture_of, model_name, version_add_stored
from apps.training.registry.storing import hash_to_keep, remove
from apps.training.registry.unpacking import SPARE_BYTES, refuse_pickles, unpack
from apps.training.registry.works import work_enqueue, work_made, work_run

LARGEST_UPLOAD = 32 * 1024**3


def import_ask(
    *,
    project: Project,
    by: Actor,
    name: str,
    file: File[bytes] | None = None,
    filename: str = "",
    folder: str = "",
    base: dict[str, Any] | None = None,
    licence: str = "",
    data_licence: str = "",
) -> RegistryWork:
    """Ask for an upload, or a folder of the workers' machines, to be checked and registered by a worker.

    `base` names what an adapter stands on, as FineTuningJob.base; not needed for a whole model.
    Raises InvalidInput, TooLarge, BaseUnavailable.
    """
    if (file is None) == (not folder):
        wrong = "Give a zip file, or the name of a folder: one of them."
        raise InvalidInput(wrong, fields={"file": [wrong]})
    if file is not None and (file.size or 0) > LARGEST_UPLOAD:
        raise TooLarge(f"The file is larger than {LARGEST_UPLOAD >> 30} GB. Put the folder on the server.")
    if base:
        base_choice(project, base)
    upload = default_storage.save(f"model-imports/{new_id()}.zip", file) if file is not None else ""
    try:
        with transaction.atomic():
            work = RegistryWork.objects.create(
                project=project,
                kind=RegistryWork.Kind.IMPORT,
                name=model_name(name),
                upload=upload,
                folder=folder[:300],
                filename="".join(char for char in filename if char.isprintable())[-200:],
                base=base or {},
                licence=licence.strip()[:120],
                data_licence=data_licence.strip()[:120],
                **RegistryWork.author_fields(by),
            )
            audit(
                by,
                "model_version.import",
                work,
                project=project,
                after={"name": work.name, "file": work.filename, "folder": work.folder},
            )
            work_enqueue(work)
    except BaseException:
        remove([upload])
        raise
    return work


def import_run(*, work_id: UUID) -> RegistryWork | None:
    """In a worker: check, hash, keep, register. The upload is removed when it is over."""
    try:
        return work_run(work_id=work_id, doing=_take_in)
    finally:
        work = RegistryWork.objects.filter(pk=work_id).first()
        if work is not None and not work.is_waiting:
            remove([work.upload])


def _take_in(work: RegistryWork) -> ModelVersion:
    with _opened(work) as folder:
        facts = look_into(folder)
        base = _base_of(work, facts)
        adapter = facts.kind == "adapter"
        wanted = NewVersion(
            name=work.name,
            kind=ModelVersion.Kind.ADAPTER if adapter else ModelVersion.Kind.MERGED,
            source=ModelVersion.Source.IMPORT,
            base=base,
            parameters=base.parameters if base else facts.parameters,
            trained_parameters=facts.parameters if adapter else 0,
            architecture=architecture_of(facts, base),
            recipe={"imported": work.filename or work.folder},
            base_licence=work.licence or (base.base_licence if base else facts.licence),
            data_licence=work.data_licence,
        )
        hashed = hash_to_keep(folder, facts, base=base.full_name if base else work.name)
        return version_add_stored(
            project=work.project,
            by=actor_of(work),
            wanted=wanted,
            hashed=hashed,
            along=lambda version: work_made(work, version),
        )


def _base_of(work: RegistryWork, facts: FolderFacts) -> ModelVersion | None:
    """The version that an adapter stands on, with which its weights must fit."""
    if facts.kind != "adapter":
        return None
    if not work.base:
        raise BadWeights("This is an adapter. Import it again with the base model that it was trained on.")
    base = base_version_of(project=work.project, base=work.base, by=actor_of(work))
    if problem := fits(facts, look_into(weights_folder(base))):
        raise BadWeights(f"The adapter does not fit {base.full_name}: {problem}")
    return base


@contextmanager
def _opened(work: RegistryWork) -> Iterator[Path]:
    """The folder to take in: a checked copy of the upload's content, or the folder of the machine."""
    if work.folder:
        try:
            folder = base_folder(work.folder)
        except LocalModelUnavailable as error:
            raise BaseUnavailable(str(error)) from error
        refuse_pickles(sorted(path.name for path in folder.iterdir()))
        yield folder
        return
    root = settings.STACK.model_cache
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in root.glob(f".import-{work.pk}-*"):  # by a worker that was killed; we hold the lease
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f".import-{work.pk}-", dir=root) as aside:
        archive, folder = Path(aside) / "upload.zip", Path(aside) / "folder"
        folder.mkdir()
        _check_room(root, default_storage.size(work.upload))
        with default_storage.open(work.upload, "rb") as stored, archive.open("wb") as into:
            shutil.copyfileobj(stored, into, 1 << 20)
        unpack(archive, folder)
        yield folder


def _check_room(root: Path, size: int) -> None:
    free = shutil.disk_usage(root).free
    if free < size + SPARE_BYTES:
        raise BadWeights(
            f"Fetching the upload needs {(size + SPARE_BYTES) // 1_000_000} MB in the worker's data folder; "
            f"{free // 1_000_000} MB are free."
        )
