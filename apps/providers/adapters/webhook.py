"""Posts a request's last message, which is JSON, to a webhook and gives its answer's text.

So a webhook is called under the same limits, retries and time-outs as a model.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2

from apps.core.guarded_transport import ResponseTooLarge, guarded_client
from apps.core.url_guard import ForbiddenAddress, check_webhook_url
from apps.core.webhook_delivery import signature
from apps.providers.adapters.openai_errors import retry_after
from apps.providers.connection import ProviderConnection
from apps.providers.protocol import (
    CompletionDelta,
    CompletionRequest,
    CompletionResponse,
    ErrorKind,
    ModelListing,
    ProviderError,
)

MAX_ANSWER_BYTES = 1_000_000


class WebhookAdapter:
    """One client with its connection pool, for one asyncio loop."""

    def __init__(self, connection: ProviderConnection) -> None:
        self._connection = connection
        try:
            self._url = check_webhook_url(connection.base_url)
        except ForbiddenAddress as error:
            raise ProviderError(str(error), kind=ErrorKind.BAD_REQUEST) from None
        self._client = guarded_client(
            api_key="", timeout_s=connection.timeout_s, max_concurrency=connection.max_concurrency
        )

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._connection.timeout_s):
                response = await self._post(request.messages[-1].content.encode())
        except (TimeoutError, httpx2.TimeoutException):
            raise ProviderError(
                f"The webhook gave no answer within {self._connection.timeout_s} seconds.",
                kind=ErrorKind.TIMEOUT,
            ) from None
        except (ForbiddenAddress, ResponseTooLarge) as error:
            raise ProviderError(f"The webhook cannot be used: {error}", kind=ErrorKind.BAD_REQUEST) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise ProviderError(
                f"The webhook could not be reached: {error or type(error).__name__}. Is the server up?",
                kind=ErrorKind.CONNECTION,
            ) from error
        _raise_for_status(response)
        return CompletionResponse(
            text=response.text.replace("\x00", "\ufffd"),
            tool_calls=(),
            finish_reason="stop",
            input_tokens=None,
            output_tokens=None,
            time_to_first_token_s=None,
            duration_s=time.perf_counter() - started,
            model=request.model,
        )

    async def _post(self, body: bytes) -> httpx2.Response:
        headers = {"content-type": "application/json", "user-agent": "llmops-web"}
        if self._connection.api_key:
            headers["webhook-signature"] = signature(self._connection.api_key, int(time.time()), body)
        response = await self._client.post(self._url, content=body, headers=headers)
        if len(response.content) > MAX_ANSWER_BYTES:
            raise ResponseTooLarge(f"it answered with more than {MAX_ANSWER_BYTES // 1_000_000} MB")
        return response

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionDelta]:
        yield CompletionDelta(response=await self.complete(request))

    async def list_models(self) -> list[ModelListing]:
        return []

    async def aclose(self) -> None:
        await self._client.aclose()


def _raise_for_status(response: httpx2.Response) -> None:
    status = response.status_code
    if status in range(200, 300):
        return
    said = " ".join(response.text[:800].split())[:300]
    kind, meaning = _meaning(status)
    raise ProviderError(
        f"The webhook answered with {status}: {meaning}" + (f" It said: {said}" if said else ""),
        kind=kind,
        status=status,
        retry_after_s=retry_after(response.headers),
        raw=said,
    )


def _meaning(status: int) -> tuple[ErrorKind, str]:
    if status == 429:
        return ErrorKind.RATE_LIMITED, "it wants fewer calls."
    if status in (408, 425) or status >= 500:
        return ErrorKind.OVERLOADED, "it failed."
    if status in (401, 403):
        return ErrorKind.AUTHENTICATION, "it refuses the call; does it check with the same secret?"
    if status in range(300, 400):
        return ErrorKind.BAD_REQUEST, "redirects are not followed; use the final URL."
    return ErrorKind.BAD_REQUEST, "it refused the call."
