"""What answers under a model's name: the embedded model, a whole one, or an adapter on one of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.providers.local_model.folder import MODEL_NAME
from apps.providers.local_model.weights import EMBEDDED
from apps.providers.protocol import ErrorKind, ProviderError


@dataclass(frozen=True, slots=True)
class Weights:
    """Files of weights: where they lie (see `ModelWeights`), and the fingerprint of what they hold."""

    place: Mapping[str, Any]
    fingerprint: str

    @property
    def is_embedded(self) -> bool:
        return bool(self.place.get("kind") == EMBEDDED)

    @property
    def key(self) -> str:
        """The same for the same weights, whoever registered them."""
        return EMBEDDED if self.is_embedded else self.fingerprint


@dataclass(frozen=True, slots=True)
class Served:
    """A name, and the weights behind it: whole ones, with an adapter on them or none."""

    name: str
    whole: Weights
    adapter: Weights | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Requests with the same key may share a batch."""
        return self.whole.key, self.adapter.key if self.adapter else ""


EMBEDDED_WEIGHTS = Weights({"kind": EMBEDDED}, "")
EMBEDDED_MODEL = Served(MODEL_NAME, EMBEDDED_WEIGHTS)


def not_served(name: str) -> ProviderError:
    return ProviderError(
        f"The local provider has no model named {name}: it may have been archived or deleted. It always has "
        f"{MODEL_NAME}; the page of the model says what else is ready.",
        kind=ErrorKind.UNKNOWN_MODEL,
    )
