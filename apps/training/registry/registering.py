"""Registering: what a job made becomes a version with hashes, lineage and a model that prompts can name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Max
from django.utils.text import slugify

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.locks import transaction_lock
from apps.core.models import Project, new_id
from apps.providers.models import Model
from apps.training.models import FineTuningJob, ModelFile, ModelState, ModelVersion
from apps.training.registry.errors import BadWeights, BaseUnavailable
from apps.training.registry.folders import FolderFacts, look_into
from apps.training.registry.lineage import data_licence_of, lineage_of
from apps.training.registry.serving import model_serve
from apps.training.registry.storing import Hashed, HashedFile, hash_to_keep, remove, store

Kind, Source = ModelVersion.Kind, ModelVersion.Source
Held = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a version is made of, before it has a number."""

    name: str
    kind: str
    source: str
    base: ModelVersion | None = None
    location: str = ""
    fingerprint: str = ""
    size_bytes: int = 0
    parameters: int = 0
    trained_parameters: int = 0
    architecture: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)
    dataset_version_id: Any = None
    base_licence: str = ""
    data_licence: str = ""
    training_metrics: dict[str, Any] = field(default_factory=dict)
    files: tuple[HashedFile, ...] = ()


def version_register(
    *,
    job: FineTuningJob,
    folder: Path,
    metrics: dict[str, Any],
    environment: dict[str, Any],
    by: Actor,
    step: int | None = None,
    held: Held = nullcontext,
) -> ModelVersion:
    """Register what a job made: an adapter's folder, or a whole model's. Safe to repeat, also by two at a
    time: the same weights of the same job are one version.

    Needs `job.base_version` (see `base_version_of`). Sets `job.version` in the same transaction. `step` names
    the checkpoint, where it is not the last: it is the job's version only if the job has no other. `held` is
    entered before rows are written: what it raises where the job is somebody else's by now undoes all. Raises
    BadWeights when the folder holds no safetensors weights.
    """
    base = job.base_version
    if base is None:
        raise BadWeights(f"The job {job.name} has no base in the registry.")
    facts = look_into(folder)
    hashed = hash_to_keep(folder, facts, base=base.full_name)
    if (known := _made_before(job, hashed, held, step)) is not None:
        return known
    adapter = facts.kind == "adapter"
    wanted = NewVersion(
        name=model_name(job.name),
        kind=Kind.ADAPTER if adapter else Kind.MERGED,
        source=Source.JOB,
        base=base,
        architecture=architecture_of(facts, base),
        parameters=base.parameters if adapter else facts.parameters,
        trained_parameters=facts.parameters,
        recipe=recipe_of(job, environment, step),
        lineage=lineage_of(job),
        dataset_version_id=job.dataset_version_id,
        base_licence=base.base_licence,
        data_licence=data_licence_of(job.dataset_version.dataset),
        training_metrics=metrics,
    )
    return version_add_stored(
        project=job.project,
        by=by,
        wanted=wanted,
        hashed=hashed,
        known=lambda: _made_before(job, hashed, held, step),
        along=lambda version: _made_of(job, version, step),
    )


def _made_before(job: FineTuningJob, hashed: Hashed, held: Held, step: int | None) -> ModelVersion | None:
    """The version that the job's same weights are already; whoever asks in a transaction is alone until its
    end."""
    with transaction.atomic(), held():
        transaction_lock(f"model version of job {job.pk}")
        known = ModelVersion.objects.filter(
            project=job.project,
            source=Source.JOB,
            fingerprint=hashed.fingerprint,
            recipe__job=job.number,
            state__state=ModelState.State.READY,
        ).first()
        if known is not None:
            _made_of(job, known, step)
    return known


def _made_of(job: FineTuningJob, version: ModelVersion, step: int | None) -> None:
    rows = FineTuningJob.objects.filter(pk=job.pk)
    (rows if step is None else rows.filter(version=None)).update(version=version)


@contextmanager
def files_stored(project: Project, wanted: NewVersion, hashed: Hashed) -> Iterator[NewVersion]:
    """What is wanted with its files in the store; they are removed again where no row comes to name them.

    They are stored before a transaction is begun: many gigabytes may take minutes.
    """
    from dataclasses import replace

    stored = store(hashed, prefix=f"models/{project.slug}/{wanted.name}/{new_id()}")
    try:
        yield replace(wanted, files=stored, fingerprint=hashed.fingerprint, size_bytes=hashed.size_bytes)
    except (OperationalError, InterfaceError):
        raise  # the rows may be there after all
    except BaseException:
        remove(file.stored_as for file in stored)
        raise


def version_add_stored(
    *,
    project: Project,
    by: Actor,
    wanted: NewVersion,
    hashed: Hashed,
    serve: bool = True,
    known: Callable[[], ModelVersion | None] = lambda: None,
    along: Callable[[ModelVersion], None] = lambda version: None,
) -> ModelVersion:
    """Store the files, then write the rows; files that lead to no row are removed again.

    `known` and `along` are called in the same transaction: before the version is written, to tell of one that
    somebody else has made meanwhile, and after it. What they raise undoes the version.
    """
    with files_stored(project, wanted, hashed) as whole, transaction.atomic():
        if (there := known()) is None:
            version = version_add(project=project, by=by, wanted=whole, serve=serve)
            along(version)
            return version
    remove(file.stored_as for file in whole.files)  # somebody else was first
    return there


def version_add(
    *, project: Project, by: Actor, wanted: NewVersion, model: Model | None = None, serve: bool = True
) -> ModelVersion:
    """Write a version with the next number of its name, its files' rows and its state.

    `model` is what serves it, for one that its provider hosts; else a model of the provider `local` is made,
    unless `serve` is False.
    """
    with transaction.atomic():
        transaction_lock(f"model version {project.pk} {wanted.name}")
        _hold_base(wanted)
        mine = ModelVersion.objects.filter(project=project, name=wanted.name)
        number = (mine.aggregate(most=Max("number"))["most"] or 0) + 1
        columns = {name: getattr(wanted, name) for name in wanted.__slots__ if name != "files"}
        version = ModelVersion.objects.create(
            project=project, number=number, **columns, **ModelVersion.author_fields(by)
        )
        ModelFile.objects.bulk_create(
            ModelFile(
                version=version,
                path=file.path,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                stored_as=file.stored_as,
            )
            for file in wanted.files
        )
        served = model or (model_serve(version, by=by) if serve else None)
        ModelState.objects.create(version=version, model=served)
        audit(
            by,
            "model_version.register",
            version,
            project=project,
            after={
                "kind": version.kind,
                "source": version.source,
                "fingerprint": version.fingerprint,
                "base": wanted.base.full_name if wanted.base else None,
                "model": served.full_name if served else None,
            },
        )
    return version


def _hold_base(wanted: NewVersion) -> None:
    """Nobody deletes what an adapter stands on while the adapter comes to be. Raises BaseUnavailable."""
    if wanted.base is None or wanted.kind != Kind.ADAPTER:
        return
    state = ModelState.objects.select_for_update(no_key=True).filter(version=wanted.base).first()
    if state is not None and state.state == ModelState.State.DELETED:
        raise BaseUnavailable(f"{wanted.base.full_name}, which the adapter stands on, was deleted meanwhile.")


def model_name(name: str) -> str:
    return slugify(name)[:70].strip("-_") or "model"


def architecture_of(facts: FolderFacts, base: ModelVersion | None) -> dict[str, Any]:
    """An adapter's own facts on top of its base's."""
    return ({**base.architecture} if base else {}) | facts.architecture


def recipe_of(job: FineTuningJob, environment: dict[str, Any], step: int | None) -> dict[str, Any]:
    trial = job.trials.filter(number=0).first()
    return {
        "job": job.number,
        "name": job.name,
        "method": job.method,
        "technique": job.technique,
        "preset": job.preset,
        "settings": {**job.settings, **(trial.chosen if trial else {})},
        "seed": job.seed,
        "environment": environment,
        **({"sweep": job.sweep} if job.sweep else {}),
        **({"step": step} if step is not None else {}),
    }
