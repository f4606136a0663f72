"""An adapter and its base as one whole model: a version of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import transaction
from filelock import FileLock

from apps.core.actor import Actor
from apps.core.locks import transaction_lock
from apps.providers.torch_environment import environment_of_child
from apps.training.models import ModelState, ModelVersion
from apps.training.registry.bases import own_folder, weights_folder
from apps.training.registry.errors import BaseUnavailable
from apps.training.registry.folders import look_into
from apps.training.registry.registering import NewVersion, model_name, version_add_stored
from apps.training.registry.storing import hash_to_keep

_CHILD = "apps.training.registry.merge_process"
_LONGEST_S = 3600


def merged_version(version: ModelVersion, *, by: Actor) -> ModelVersion:
    """The version that merging an adapter gave, merged now where there is none that is ready."""
    with _held(version) as target:
        if (known := _merged_before(version)) is not None:
            return known
        made = _added(_made(target, version), version, by)
        shutil.rmtree(target, ignore_errors=True)  # the same files come from the file store from now on
    return made


@contextmanager
def _held(version: ModelVersion) -> Iterator[Path]:
    """Where the merged copy is or is to be, for one process of this machine at a time."""
    target: Path = settings.STACK.model_cache / "merged" / version.fingerprint
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(target.parent / f".{target.name}.lock"):
        yield target


def _made(target: Path, version: ModelVersion) -> Path:
    if version.base is None:
        raise BaseUnavailable(f"{version.full_name} names no base.")
    if not (target / "config.json").is_file():
        _merge_into(target, version, version.base)
    os.utime(target)
    return target


def _merged_before(version: ModelVersion) -> ModelVersion | None:
    """The version that merging gave; whoever asks in a transaction is alone until its end."""
    with transaction.atomic():
        transaction_lock(f"model version merged of {version.pk}")
        return ModelVersion.objects.filter(
            project=version.project,
            source=ModelVersion.Source.MERGE,
            base=version,
            state__state=ModelState.State.READY,
        ).first()


def _added(folder: Path, version: ModelVersion, by: Actor) -> ModelVersion:
    facts = look_into(folder)
    wanted = NewVersion(
        name=f"{model_name(version.name)}-merged",
        kind=ModelVersion.Kind.MERGED,
        source=ModelVersion.Source.MERGE,
        base=version,
        architecture=facts.architecture,
        parameters=facts.parameters,
        trained_parameters=version.trained_parameters,
        recipe={"merged": version.full_name},
        lineage=version.lineage,
        dataset_version_id=version.dataset_version_id,
        base_licence=version.base_licence,
        data_licence=version.data_licence,
        training_metrics=version.training_metrics,
    )
    hashed = hash_to_keep(folder, facts, base=version.full_name)
    return version_add_stored(
        project=version.project, by=by, wanted=wanted, hashed=hashed, known=lambda: _merged_before(version)
    )


def _merge_into(target: Path, version: ModelVersion, base: ModelVersion) -> None:
    adapter, whole = own_folder(version), weights_folder(base)
    _check_room(target.parent, base.size_bytes)
    for leftover in target.parent.glob(f".{target.name}-*"):  # of a process that was killed; we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    order = {"base": str(whole), "adapter": str(adapter), "output": str(draft)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", _CHILD],
            input=json.dumps(order).encode(),
            capture_output=True,
            cwd=settings.BASE_DIR,
            env={**environment_of_child(), "CUDA_VISIBLE_DEVICES": ""},
            timeout=_LONGEST_S,
            check=False,
        )
        if done.returncode:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["it was killed"]
            raise BaseUnavailable(f"Merging {version.full_name} failed: {last[0][:500]}")
        os.rename(draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size * 1.1 + 200_000_000:
        raise BaseUnavailable(
            f"Merging needs {size * 11 // 10_000_000 + 200} MB in the data folder; "
            f"{free // 1_000_000} MB are free."
        )
