"""The embedded model: where its file is, how it is converted once, and how it answers in batches."""

from __future__ import annotations

from apps.providers.connection import ProviderConnection
from apps.providers.local_model.engine import LocalEngine


def local_engine(connection: ProviderConnection) -> LocalEngine:
    """This process's engine for a connection of kind "local"; all such connections share one model."""
    return LocalEngine.shared()
