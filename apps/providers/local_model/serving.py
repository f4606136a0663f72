"""From names to weights: what the local providers of all projects serve, as the database says.

The same name may be another model in another project, so a name counts only with its provider.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.db import connections

from apps.providers.local_model.engine import LocalEngine, Result
from apps.providers.local_model.folder import (
    CONTEXT_WINDOW,
    MODEL_NAME,
    LocalModelUnavailable,
    gguf_path,
)
from apps.providers.local_model.served import EMBEDDED_MODEL, Served, Weights, not_served
from apps.providers.models import ModelWeights
from apps.providers.protocol import CompletionRequest, ErrorKind, ModelListing, ProviderError

T = TypeVar("T")


def served_models(asked: Sequence[tuple[str, str]]) -> list[Served | ProviderError]:
    """What answers each (provider's id, model's name), in order; for what nothing does, why.

    One query, and none where only the embedded model is asked for.
    """
    wanted = {pair for pair in asked if pair[1] != MODEL_NAME}
    found: dict[tuple[str, str], Served] = {}
    if wanted:
        rows = ModelWeights.objects.filter(
            model__provider__in={provider for provider, _ in wanted}, model__name__in={n for _, n in wanted}
        )
        for row in rows.select_related("model"):
            found[str(row.model.provider_id), row.model.name] = _served(row)
    return [
        EMBEDDED_MODEL if pair[1] == MODEL_NAME else found.get(pair) or not_served(pair[1]) for pair in asked
    ]


def _served(row: ModelWeights) -> Served:
    weights = Weights(row.place, row.fingerprint)
    if row.kind == ModelWeights.Kind.WHOLE:
        return Served(row.model.name, weights)
    return Served(row.model.name, Weights(row.base, row.base_fingerprint), weights)


def served_listings(provider_id: str) -> list[ModelListing]:
    """Every model that a local provider serves. Raises ProviderError where there is none at all."""
    rows = ModelWeights.objects.filter(model__provider=UUID(provider_id)).exclude(model__name=MODEL_NAME)
    named = rows.order_by("model__name").values_list("model__name", "model__context_window")
    listings = [ModelListing(name=name, context_window=window) for name, window in named]
    try:
        gguf_path()
    except LocalModelUnavailable as error:
        if not listings:
            raise ProviderError(str(error), kind=ErrorKind.CONNECTION) from None
        return listings
    return [ModelListing(name=MODEL_NAME, context_window=CONTEXT_WINDOW), *listings]


@dataclass(frozen=True, slots=True)
class ConnectedEngine:
    """The engine as one provider's: names are those of its models."""

    engine: LocalEngine
    provider_id: str

    def generate(
        self,
        requests: Sequence[CompletionRequest],
        *,
        cancelled: threading.Event | None = None,
        on_text: Callable[[int, str], None] | None = None,
    ) -> list[Result]:
        """As `LocalEngine.generate`."""
        served = served_models([(self.provider_id, request.model) for request in requests])
        return self.engine.generate(requests, served=served, cancelled=cancelled, on_text=on_text)

    def listings(self) -> list[ModelListing]:
        return served_listings(self.provider_id)


def in_own_thread(work: Callable[[], T]) -> T:
    """Run what may ask the database in a thread that Django does not know, and close its connections."""
    try:
        return work()
    finally:
        connections.close_all()
