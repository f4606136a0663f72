"""Any OpenAI-compatible endpoint, through the official SDK.

Runs do not stream, so their time to first token is None; `stream` measures it. The SDK's own retries
are off: the engine that calls decides, and counts every attempt.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import openai

from apps.core.guarded_transport import guarded_client
from apps.core.url_guard import ForbiddenAddress, check_base_url
from apps.providers.adapters.openai_errors import provider_error
from apps.providers.adapters.openai_payload import (
    bad_response,
    listing_from_json,
    request_arguments,
    response_from_json,
    storable,
)
from apps.providers.adapters.openai_stream import StreamedCompletion
from apps.providers.connection import DEFAULT_BASE_URL, ProviderConnection
from apps.providers.protocol import (
    CompletionDelta,
    CompletionRequest,
    CompletionResponse,
    ErrorKind,
    ModelListing,
    ProviderError,
)


class OpenAIAdapter:
    """One client with its connection pool, for one asyncio loop."""

    def __init__(self, connection: ProviderConnection) -> None:
        self._connection = connection
        self._base_url = connection.base_url or DEFAULT_BASE_URL
        try:
            check_base_url(self._base_url)
        except ForbiddenAddress as error:
            raise ProviderError(str(error), kind=ErrorKind.BAD_REQUEST) from None
        self._client = openai.AsyncOpenAI(
            api_key=connection.api_key or "none",  # the client below sends the real one, or no header at all
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            base_url=self._base_url,
            max_retries=0,
            timeout=connection.timeout_s,
            http_client=guarded_client(
                api_key=connection.api_key,
                timeout_s=connection.timeout_s,
                max_concurrency=connection.max_concurrency,
            ),
        )

    def __repr__(self) -> str:
        return f"OpenAIAdapter({self._connection.slug!r}, {self._base_url!r})"

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._connection.timeout_s):
                arguments = request_arguments(request, base_url=self._base_url)
                extra = arguments.pop("extra_body", {})
                # The SDK's plain `post`: `chat.completions.create` walks the messages by their type hints,
                # which takes as long as the rest of a call, and changes nothing in what is JSON already.
                answer = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, body={**arguments, **extra}
                )
                body = _json_object(answer.content)
        except Exception as error:
            raise self._explained(error, request.model) from None
        return response_from_json(
            body, requested_model=request.model, duration_s=time.perf_counter() - started
        )

    async def stream(self, request: CompletionRequest) -> AsyncIterator[CompletionDelta]:
        """Text as it arrives; the last delta holds the whole response with its time to first token."""
        whole = StreamedCompletion(requested_model=request.model)
        try:
            async with asyncio.timeout(self._connection.timeout_s):
                arguments = request_arguments(request, base_url=self._base_url)
                extra = arguments.pop("extra_body", {})
                streamed = {"stream": True, "stream_options": {"include_usage": True}}
                # Plain `post` again, and chunks as plain JSON: one as the SDK's object takes thirty times as
                # long, and a worker reads a thousand a second.
                chunks = await self._client.post(
                    "/chat/completions",
                    cast_to=object,
                    body={**arguments, **streamed, **extra},
                    stream=True,
                    stream_cls=openai.AsyncStream[object],
                )
                async with chunks:
                    async for chunk in chunks:
                        if text := whole.add(_chunk_json(chunk)):
                            yield CompletionDelta(text=text)
        except Exception as error:
            raise self._explained(error, request.model) from None
        yield CompletionDelta(response=whole.response())

    async def list_models(self) -> list[ModelListing]:
        try:
            async with asyncio.timeout(self._connection.timeout_s):
                answer = await self._client.models.with_raw_response.list()
                body = _json_object(answer.content)
        except Exception as error:
            raise self._explained(error, "") from None
        entries = body.get("data")
        if not isinstance(entries, list):
            raise bad_response(
                f"{self._base_url}/models is not a list of models: no OpenAI-compatible server.", body
            )
        listings = [listing_from_json(entry) for entry in entries if isinstance(entry, Mapping)]
        return sorted((listing for listing in listings if listing), key=lambda listing: listing.name)

    async def aclose(self) -> None:
        await self._client.close()

    def _explained(self, error: Exception, model: str) -> ProviderError:
        connection = self._connection
        return provider_error(
            error,
            base_url=self._base_url,
            api_key=connection.api_key,
            timeout_s=connection.timeout_s,
            model=model,
        )


def _json_object(content: bytes) -> dict[str, Any]:
    """The answer's body, read by ourselves: the SDK would take an HTML page for a completion."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        text = content[:2000].decode("utf-8", "replace")
        raise bad_response("The server answered, but not with JSON: is the base URL right?", text) from None
    if not isinstance(body, dict):
        raise bad_response(
            "The server answered with JSON that is not an object: is the base URL right?", body
        )
    clean = storable(body)
    assert isinstance(clean, dict)
    return clean


def _chunk_json(chunk: object) -> dict[str, Any]:
    if not isinstance(chunk, dict):
        raise bad_response("The server streams JSON that is not an object: is the base URL right?", chunk)
    value: dict[str, Any] = storable(chunk)
    return value
