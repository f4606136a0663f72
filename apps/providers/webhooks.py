"""A webhook as the engine sees it: a connection like a provider's, to a URL that somebody typed."""

from __future__ import annotations

from urllib.parse import urlsplit

from apps.providers.connection import ProviderConnection
from apps.providers.url_guard import MAX_URL_LENGTH, ForbiddenAddress, check_host

#: The kind of a webhook's connection. Nobody can make a provider of it.
WEBHOOK = "webhook"


def check_webhook_url(url: str) -> str:
    """The URL, when outputs may be posted to it. Looks at the text only; the address is checked when a
    connection is made. Raises ForbiddenAddress.
    """
    if len(url) > MAX_URL_LENGTH:
        raise ForbiddenAddress(f"The URL is longer than {MAX_URL_LENGTH} characters.")
    if any(ord(character) <= 32 or ord(character) == 127 for character in url) or "\\" in url:
        raise ForbiddenAddress("The URL holds a space, a backslash or a control character.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ForbiddenAddress(f"The URL cannot be read: {error}.") from None
    if parts.scheme not in ("http", "https"):
        raise ForbiddenAddress("The URL must begin with http:// or https://.")
    if "@" in parts.netloc:
        raise ForbiddenAddress("The URL must not hold a user or password: the signature proves who calls.")
    if port == 0:
        raise ForbiddenAddress("The URL names port 0.")
    check_host(parts.hostname or "")
    return url


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
