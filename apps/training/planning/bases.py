"""The base of a job: looked up in the project, with what estimates and presets ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.errors import InvalidInput, ProductError
from apps.core.models import Project
from apps.providers.errors import ProviderNotFound
from apps.providers.models import Provider
from apps.providers.selectors import provider_get
from apps.training.hosted.methods import hosted_methods
from apps.training.models import FineTuningJob, ModelVersion
from apps.training.planning.setting import DPO, SFT
from apps.training.registry.bases import base_choice
from apps.training.trainer.memory import ModelShape, usual_shape

_KINDS = ("embedded", "folder", "version", "hosted")


@dataclass(frozen=True, slots=True)
class Base:
    """`kept` is what FineTuningJob.base holds. 0 and None where a provider does not say."""

    kept: dict[str, Any]
    label: str
    parameters: int = 0
    context: int = 0
    shape: ModelShape | None = None
    licence: str = ""
    version: ModelVersion | None = None
    provider: Provider | None = None


def base_read(project: Project, asked: Mapping[str, Any], *, method: str) -> Base:
    """Raises InvalidInput where there is no such base, or it cannot be trained."""
    kind = asked.get("kind")
    if kind not in _KINDS:
        raise _wrong(f"A base is of a kind: {', '.join(_KINDS)}.")
    if kind == "hosted":
        return _hosted(project, str(asked.get("provider", "")), str(asked.get("model", "")), method)
    names = {"folder": "name", "version": "id"}
    kept = {"kind": kind} | ({names[kind]: str(asked.get(names[kind], ""))} if kind in names else {})
    try:
        return base_of(project, kept)
    except ProductError as error:
        raise _wrong(error.detail) from error


def base_of(project: Project, kept: dict[str, Any]) -> Base:
    """What a job's `base` means now. Raises ProductError where it is not there any more."""
    if kept.get("kind") == "hosted":
        provider = provider_get(project=project, slug=str(kept.get("provider", "")))
        return Base(kept=kept, label=f"{provider.slug}/{kept.get('model', '')}", provider=provider)
    choice = base_choice(project, kept)
    if choice.problem:
        raise InvalidInput(choice.problem, fields={"base": [choice.problem]})
    version = _version(project, kept)
    root = whole_version(version) if version else None
    parameters = root.parameters if root else choice.parameters
    architecture = root.architecture if root else choice.architecture
    return Base(
        kept=kept,
        label=choice.label,
        parameters=parameters,
        context=int(architecture.get("context_window") or 0),
        shape=_shape(parameters, architecture),
        licence=choice.licence,
        version=version,
    )


def base_label(job: FineTuningJob) -> str:
    """How the base is called, also when it is not there any more."""
    try:
        return base_of(job.project, job.base).label
    except ProductError:
        return str(job.base.get("name") or job.base.get("model") or job.base.get("kind") or "unknown")


def _hosted(project: Project, slug: str, model: str, method: str) -> Base:
    try:
        provider = provider_get(project=project, slug=slug)
    except ProviderNotFound as error:
        raise _wrong(error.detail) from error
    if provider.kind != Provider.Kind.OPENAI:
        raise _wrong(f"{provider.name} cannot train: choose a provider of the kind OpenAI-compatible.")
    if not model or len(model) > 200 or "\x00" in model:
        raise _wrong("Name the provider's model that is to be trained.")
    if method not in (SFT, DPO):
        raise _wrong("Providers train by SFT or DPO. Train KTO on your own machines.")
    if method not in hosted_methods(model, provider.base_url):
        raise _wrong(f"{provider.name} does not train {model} by {method.upper()}. Choose another model.")
    kept = {"kind": "hosted", "provider": provider.slug, "model": model}
    return Base(kept=kept, label=f"{provider.slug}/{model}", provider=provider)


def _version(project: Project, kept: dict[str, Any]) -> ModelVersion | None:
    if kept.get("kind") != "version":
        return None
    return ModelVersion.objects.select_related("base").get(project=project, pk=kept["id"])


def whole_version(version: ModelVersion) -> ModelVersion:
    """An adapter is trained further on the whole weights that it stands on."""
    while version.kind == ModelVersion.Kind.ADAPTER and version.base is not None:
        version = version.base
    return version


def _shape(parameters: int, architecture: Mapping[str, Any]) -> ModelShape | None:
    layers, hidden = architecture.get("layers"), architecture.get("hidden_size")
    if not layers or not hidden:
        return usual_shape(parameters) if parameters else None
    heads = int(architecture.get("heads") or max(1, hidden // 64))
    return ModelShape(
        parameters=parameters,
        layers=int(layers),
        hidden=int(hidden),
        intermediate=int(architecture.get("intermediate_size") or round(hidden * 2.7)),
        vocabulary=int(architecture.get("vocabulary") or 32_000),
        heads=heads,
        key_value_heads=int(architecture.get("key_value_heads") or heads),
        context_window=int(architecture.get("context_window") or 0),
    )


def _wrong(text: str) -> InvalidInput:
    return InvalidInput(text, fields={"base": [text]})
