"""Merging an adapter into its base: a whole model of its own in the registry."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.authors import actor_of
from apps.training.models import ModelState, ModelVersion, RegistryWork
from apps.training.registry.errors import WrongState
from apps.training.registry.merge_copies import merged_version
from apps.training.registry.works import Status, work_enqueue, work_run


def version_merge(*, version: ModelVersion, by: Actor) -> RegistryWork:
    """Ask for an adapter to be merged; asked again while it waits, it is the same work. Raises WrongState."""
    if version.kind != ModelVersion.Kind.ADAPTER:
        raise WrongState(f"{version.full_name} is a whole model already; only adapters are merged.")
    with transaction.atomic():
        state = ModelState.objects.select_for_update(no_key=True).get(version=version)
        if state.state != ModelState.State.READY:
            raise WrongState(f"{version.full_name} is {state.state}.")
        waiting = RegistryWork.objects.filter(source=version, status__in=(Status.PENDING, Status.RUNNING))
        if (known := waiting.first()) is not None:
            return known
        work = RegistryWork.objects.create(
            project=version.project,
            kind=RegistryWork.Kind.MERGE,
            source=version,
            name=version.full_name,
            **RegistryWork.author_fields(by),
        )
        audit(by, "model_version.merge", version, project=version.project)
        work_enqueue(work)
    return work


def merge_run(*, work_id: UUID) -> RegistryWork | None:
    """In a worker; the merge itself is done in a process of its own."""
    return work_run(work_id=work_id, doing=_merge)


def _merge(work: RegistryWork) -> ModelVersion:
    assert work.source is not None
    return merged_version(work.source, by=actor_of(work))
