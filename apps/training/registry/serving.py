"""What prompts and runs name: the model of the provider `local` that a version is served as."""

from __future__ import annotations

from django.utils import timezone

from apps.core.actor import Actor
from apps.providers.connection import OPENAI
from apps.providers.local_model.folder import MODEL_NAME
from apps.providers.models import Model, ModelWeights, Provider
from apps.providers.services import local_provider_ensure
from apps.training.models import ModelVersion
from apps.training.registry.errors import WrongState
from apps.training.registry.storing import place_of

Kind = ModelVersion.Kind


def model_serve(version: ModelVersion, *, by: Actor) -> Model:
    """The version's model, made if there is none, with its weights. Within a transaction.

    The provider is the project's own for the embedded model.
    """
    provider = local_provider_ensure(project=version.project, by=by)
    if version.source == ModelVersion.Source.EMBEDDED:
        return _named(provider, MODEL_NAME, version)
    model = _named(provider, version.full_name, version)
    base = version.base if version.kind == Kind.ADAPTER else None
    ModelWeights.objects.update_or_create(
        model=model,
        defaults={
            "kind": ModelWeights.Kind.ADAPTER if base else ModelWeights.Kind.WHOLE,
            "place": place_of(version),
            "base": place_of(base) if base else {},
            "base_fingerprint": base.fingerprint if base else "",
            "fingerprint": version.fingerprint,
        },
    )
    return model


def _named(provider: Provider, name: str, version: ModelVersion) -> Model:
    window = version.architecture.get("context_window")
    model, made = Model.objects.get_or_create(
        provider=provider, name=name, defaults={"context_window": window if isinstance(window, int) else None}
    )
    if not made and model.retired_at is not None:
        model.retired_at = None
        model.save(update_fields=["retired_at"])
    return model


def hosted_again(version: ModelVersion, served: Model | None) -> Model:
    """The model of its provider that a hosted version was served as. Raises WrongState without one."""
    models = Model.objects.filter(provider__project_id=version.project_id, provider__archived_at=None)
    models = models.filter(provider__kind=OPENAI, name=version.location).select_related("provider")
    model = models.filter(pk=served.pk).first() if served else models.order_by("pk").first()
    if model is None:
        raise WrongState(f"No provider of the project has the model {version.location} any more.")
    model.retired_at = None
    model.save(update_fields=["retired_at"])
    return model


def model_retire(model: Model) -> None:
    """Take a model out of use: it can no longer be named; runs that used it keep their proof."""
    ModelWeights.objects.filter(model=model).delete()
    model.retired_at = timezone.now()
    model.save(update_fields=["retired_at"])
