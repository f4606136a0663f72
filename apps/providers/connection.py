"""A provider as an engine sees it: a frozen snapshot without the database."""

from __future__ import annotations

from dataclasses import dataclass, field

OPENAI, LOCAL, FAKE = "openai", "local", "fake"
KINDS = (OPENAI, LOCAL, FAKE)
#: Where kind "openai" calls when no base URL is given.
DEFAULT_BASE_URL = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class ProviderConnection:
    """What it takes to call a provider.

    `api_key` is the decrypted credential ("" for none) and is left out of repr. `timeout_s` bounds one
    whole call in seconds. `requests_per_minute` and `tokens_per_minute` (input and output together) None mean
    no limit of our own.
    """

    provider_id: str
    slug: str
    kind: str
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    max_concurrency: int = 8
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout_s: int = 120
