"""What a provider made becomes a version of the registry; its base has one too, so both can be measured."""

from __future__ import annotations

from importlib.metadata import version as installed
from typing import Any

from apps.core.actor import Actor
from apps.core.locks import transaction_lock
from apps.core.models import Project
from apps.providers.models import Model, Provider
from apps.training.hosted.following import last_figures
from apps.training.models import FineTuningJob, ModelState, ModelVersion
from apps.training.registry.lineage import data_licence_of, lineage_of
from apps.training.registry.registering import NewVersion, model_name, recipe_of, version_add

Kind, Source = ModelVersion.Kind, ModelVersion.Source


def hosted_version_register(
    *, job: FineTuningJob, provider: Provider, model: str, by: Actor, step: int | None = None
) -> ModelVersion:
    """A version for the fine-tuned `model` of the provider, which prompts can name at once.

    Within a transaction. Safe to repeat: a model is registered once.
    """
    base = hosted_base_ensure(project=job.project, provider=provider, model=str(job.base["model"]), by=by)
    transaction_lock(f"hosted model {provider.pk}")
    served, _ = Model.objects.get_or_create(
        provider=provider, name=model, defaults={"context_window": _window(base)}
    )
    known = ModelVersion.objects.filter(kind=Kind.HOSTED, source=Source.HOSTED, state__model=served).first()
    if known is not None:
        return known
    environment = environment_of(provider)
    wanted = NewVersion(
        name=model_name(job.name),
        kind=Kind.HOSTED,
        source=Source.HOSTED,
        base=base,
        location=model,
        architecture={name: value for name, value in base.architecture.items() if name == "context_window"},
        recipe=recipe_of(job, environment, step),
        lineage=lineage_of(job),
        dataset_version_id=job.dataset_version_id,
        base_licence=base.base_licence,
        data_licence=data_licence_of(job.dataset_version.dataset),
        training_metrics=last_figures(job),
    )
    return version_add(project=job.project, by=by, wanted=wanted, model=served)


def hosted_base_ensure(*, project: Project, provider: Provider, model: str, by: Actor) -> ModelVersion:
    """The version that stands for the provider's own model; made when there is none. In a transaction."""
    transaction_lock(f"hosted model {provider.pk}")
    served, _ = Model.objects.get_or_create(provider=provider, name=model)
    ready = ModelState.State.READY
    known = ModelVersion.objects.filter(project=project, state__model=served, state__state=ready)
    if (found := known.order_by("number").first()) is not None:
        return found
    window = {"context_window": served.context_window} if served.context_window else {}
    wanted = NewVersion(
        name=model_name(model), kind=Kind.BASE, source=Source.HOSTED, location=model, architecture=window
    )
    return version_add(project=project, by=by, wanted=wanted, model=served)


def environment_of(provider: Provider) -> dict[str, Any]:
    """What is known of how a provider trains: next to nothing."""
    return {"packages": {"openai": installed("openai")}, "device": "hosted", "provider": provider.name}


def _window(base: ModelVersion) -> int | None:
    found = base.architecture.get("context_window")
    return found if isinstance(found, int) else None
