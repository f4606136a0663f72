"""Trying a provider out: list its models, and call one of them if asked. Run by a worker.

No database here: in goes a connection, out comes what a person wants to read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from apps.providers.connection import FAKE, LOCAL, ProviderConnection
from apps.providers.limiter import one_turn
from apps.providers.local_model.folder import MODEL_NAME
from apps.providers.protocol import (
    Adapter,
    CompletionRequest,
    ErrorKind,
    Message,
    ModelListing,
    Parameters,
    ProviderError,
)
from apps.providers.registry import make_adapter

#: A person is watching; the embedded model may have to be converted first.
TIMEOUT_S = 30
LOCAL_TIMEOUT_S = 180
_QUESTION = "Say hello."
#: Reasoning models think before they speak; fewer tokens would end before the first word.
_MOST_TOKENS = 16


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a test found. On failure `error_kind` is an ErrorKind's value and `message` says what is wrong."""

    ok: bool
    message: str
    listings: tuple[ModelListing, ...] = ()
    error_kind: str = ""


def probe(connection: ProviderConnection, model_name: str = "") -> ProbeResult:
    """Test the connection. Never raises for what a provider does; needs no running asyncio loop."""
    longest = LOCAL_TIMEOUT_S if connection.kind == LOCAL else min(TIMEOUT_S, connection.timeout_s)
    connection = replace(connection, timeout_s=longest)
    if connection.kind == LOCAL:
        model_name = model_name or MODEL_NAME  # listing alone would not show that it loads
    try:
        return asyncio.run(_probe(connection, model_name))
    except ProviderError as error:
        return ProbeResult(ok=False, message=error.message, error_kind=error.kind.value)


async def _probe(connection: ProviderConnection, model_name: str) -> ProbeResult:
    adapter = make_adapter(connection)
    try:
        listings, trouble = await _listed(adapter, model_name)
        said = await _called(adapter, connection, model_name) if model_name else ""
    finally:
        await adapter.aclose()
    counted = f"{len(listings)} model" + ("" if len(listings) == 1 else "s")
    if trouble is not None:
        found = f"It does not list its models ({trouble.message}), so add them by hand."
    elif connection.kind == FAKE:
        found = f"The fake provider has {counted}."
    else:
        found = f"The provider answers and lists {counted}."
    return ProbeResult(
        ok=True, message=" ".join(part for part in (found, said) if part), listings=tuple(listings)
    )


async def _listed(adapter: Adapter, model_name: str) -> tuple[list[ModelListing], ProviderError | None]:
    """The models; and why not, where a server cannot list them but a model can still be called."""
    try:
        return await adapter.list_models(), None
    except ProviderError as error:
        cannot_list = error.status in (404, 405, 501) and error.kind is not ErrorKind.AUTHENTICATION
        if cannot_list and model_name:
            return [], error
        raise


async def _called(adapter: Adapter, connection: ProviderConnection, model_name: str) -> str:
    request = CompletionRequest(
        model=model_name,
        messages=(Message("user", _QUESTION),),
        parameters=Parameters(model=model_name, max_tokens=_MOST_TOKENS),
    )
    await one_turn(connection, tokens=_MOST_TOKENS, within_s=connection.timeout_s)
    response = await adapter.complete(request)
    return f"{model_name} answered in {response.duration_s:.1f} s."
