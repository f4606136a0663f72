"""A webhook as the engine sees it: a connection like a provider's, to a URL that somebody typed."""

from __future__ import annotations

from apps.providers.connection import ProviderConnection

#: The kind of a webhook's connection. Nobody can make a provider of it.
WEBHOOK = "webhook"


def webhook_connection(
    *, key: str, url: str, secret: str, timeout_s: int, max_concurrency: int
) -> ProviderConnection:
    """The connection to a webhook; `key` names it for the limiter, `secret` signs ("" signs nothing)."""
    return ProviderConnection(
        provider_id=f"webhook:{key}",
        slug="webhook",
        kind=WEBHOOK,
        base_url=url,
        api_key=secret,
        max_concurrency=max_concurrency,
        timeout_s=timeout_s,
    )
