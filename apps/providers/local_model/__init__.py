"""Models in a worker's memory: the embedded one, and the versions of the registry that stand beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.providers.connection import ProviderConnection
from apps.providers.local_model.engine import LocalEngine

if TYPE_CHECKING:
    from apps.providers.local_model.serving import ConnectedEngine


def local_engine(connection: ProviderConnection) -> ConnectedEngine:
    """This process's one engine, as the provider of a connection of kind "local" names its models."""
    from apps.providers.local_model.serving import ConnectedEngine

    return ConnectedEngine(LocalEngine.shared(), connection.provider_id)
