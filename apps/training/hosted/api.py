"""The fine-tuning API of an OpenAI-compatible provider, through the official SDK.

Every call is bounded in time and goes through the same guarded client as completions. Answers are read as
JSON by ourselves: the SDK would take an HTML page for an object. All errors are ProviderErrors.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import openai

from apps.core.guarded_transport import guarded_client
from apps.core.url_guard import ForbiddenAddress, check_base_url
from apps.providers.adapters.openai_errors import provider_error
from apps.providers.adapters.openai_payload import storable
from apps.providers.connection import DEFAULT_BASE_URL, ProviderConnection
from apps.providers.protocol import ErrorKind, ProviderError

#: A training file of some hundred megabytes over an ordinary line.
UPLOAD_TIMEOUT_S = 1800
_PAGE = 100
#: Looking for a lost upload or job ends here: it was the newest when it was made.
_MOST_PAGES = 50
Json = dict[str, Any]
Call = Callable[[openai.AsyncOpenAI], Awaitable[Any]]


class FineTuningApi:
    """Files, jobs, events and checkpoints of one provider."""

    def __init__(self, connection: ProviderConnection) -> None:
        self._connection = connection
        self._base_url = connection.base_url or DEFAULT_BASE_URL

    def find_file(self, name: str, size: int, *, since: int) -> str:
        """The id of a file that was sent under this name with this many bytes before; "" for none.

        `since`, in seconds of Unix time, ends the search: what is older was not sent for this.
        """
        for found in self._pages(lambda after: lambda client: _files(client, after), since):
            if (
                found.get("filename") == name
                and found.get("bytes") == size
                and found.get("status") != "error"
            ):
                return str(found.get("id", ""))
        return ""

    def upload(self, path: Path, name: str) -> str:
        """Send a training file; its id there."""

        async def send(client: openai.AsyncOpenAI) -> Any:
            with path.open("rb") as content:
                file = (name, content, "application/jsonl")
                return await client.files.with_raw_response.create(
                    file=file, purpose="fine-tune", timeout=UPLOAD_TIMEOUT_S
                )

        return _id_of(self._json(send, timeout_s=UPLOAD_TIMEOUT_S), "file")

    def find_job(self, *, reference: str, training_file: str, not_these: list[str], since: int) -> str:
        """The id of a job that was made for `reference` before, or with its very own file; "" for none."""
        metadata = {"llmops_job": reference}
        for found in self._pages(lambda after: lambda client: _jobs(client, metadata, after), since):
            mine = (found.get("metadata") or {}).get("llmops_job") == reference
            if (mine or found.get("training_file") == training_file) and found.get("id") not in not_these:
                return str(found.get("id", ""))
        return ""

    def create_job(self, **arguments: Any) -> str:
        """Let the provider train; arguments as `fine_tuning.jobs.create` has them. The job's id there."""

        def create(client: openai.AsyncOpenAI) -> Awaitable[Any]:
            return client.fine_tuning.jobs.with_raw_response.create(**arguments)

        return _id_of(self._json(create, model=str(arguments.get("model", ""))), "fine-tuning job")

    def job(self, id: str) -> Json:
        """As the API describes it: status, fine_tuned_model, trained_tokens, estimated_finish, error …"""
        return self._json(lambda client: client.fine_tuning.jobs.with_raw_response.retrieve(id))

    def cancel(self, id: str) -> Json:
        return self._json(lambda client: client.fine_tuning.jobs.with_raw_response.cancel(id))

    def events_after(self, id: str, last_seen: str) -> list[Json]:
        """Events that came after the one with the id `last_seen` ("" for all), oldest first."""
        fresh: list[Json] = []
        for event in self._pages(lambda after: lambda client: _events(client, id, after)):
            if event.get("id") == last_seen:
                break
            fresh.append(event)
        return fresh[::-1]  # the API lists the newest first

    def last_checkpoint(self, id: str) -> Json:
        """The newest model that the provider kept on the way; {} for none."""
        found = self._json(
            lambda client: client.fine_tuning.jobs.checkpoints.with_raw_response.list(id, limit=_PAGE)
        )
        kept = [entry for entry in _entries(found) if entry.get("fine_tuned_model_checkpoint")]
        return max(kept, key=lambda entry: entry.get("step_number") or 0, default={})

    def _pages(self, page: Callable[[str], Call], since: int = 0) -> Iterator[Json]:
        """Entries of all pages; lists come with the newest first."""
        after = ""
        for _ in range(_MOST_PAGES):
            answer = self._json(page(after))
            entries = _entries(answer)
            yield from entries
            last = str(entries[-1].get("id", "")) if entries else ""
            oldest = entries[-1].get("created_at") if entries else None
            if not answer.get("has_more") or not last or last == after:
                return
            if isinstance(oldest, int) and oldest < since:
                return
            after = last

    def _json(self, call: Call, *, timeout_s: float = 0, model: str = "") -> Json:
        return asyncio.run(self._called(call, timeout_s or self._connection.timeout_s, model))

    async def _called(self, call: Call, timeout_s: float, model: str) -> Json:
        try:
            check_base_url(self._base_url)
        except ForbiddenAddress as error:
            raise ProviderError(str(error), kind=ErrorKind.BAD_REQUEST) from None
        async with self._client(timeout_s) as client:
            try:
                async with asyncio.timeout(timeout_s):
                    answer = await call(client)
                    return _object(answer.content)
            except Exception as error:
                raise provider_error(
                    error,
                    base_url=self._base_url,
                    api_key=self._connection.api_key,
                    timeout_s=timeout_s,
                    model=model,
                ) from None

    def _client(self, timeout_s: float) -> openai.AsyncOpenAI:
        api_key = self._connection.api_key
        return openai.AsyncOpenAI(
            api_key=api_key or "none",  # the guarded client sends the real one, or no header at all
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            base_url=self._base_url,
            max_retries=0,
            timeout=timeout_s,
            http_client=guarded_client(api_key=api_key, timeout_s=timeout_s, max_concurrency=1),
        )


def _files(client: openai.AsyncOpenAI, after: str) -> Awaitable[Any]:
    return client.files.with_raw_response.list(
        purpose="fine-tune", order="desc", limit=_PAGE, after=after or openai.omit
    )


def _jobs(client: openai.AsyncOpenAI, metadata: dict[str, str], after: str) -> Awaitable[Any]:
    return client.fine_tuning.jobs.with_raw_response.list(
        metadata=metadata, limit=_PAGE, after=after or openai.omit
    )


def _events(client: openai.AsyncOpenAI, id: str, after: str) -> Awaitable[Any]:
    return client.fine_tuning.jobs.with_raw_response.list_events(id, limit=_PAGE, after=after or openai.omit)


def _object(content: bytes) -> Json:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProviderError(
            "The server answered, but not with a JSON object: does it speak the fine-tuning API?",
            kind=ErrorKind.BAD_RESPONSE,
        )
    clean: Json = storable(found)
    return clean


def _entries(page: Json) -> list[Json]:
    entries = page.get("data")
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _id_of(answer: Json, what: str) -> str:
    found = answer.get("id")
    if not isinstance(found, str) or not found:
        raise ProviderError(f"The provider gave the {what} no id.", kind=ErrorKind.BAD_RESPONSE)
    return found
