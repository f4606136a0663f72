"""Puts the chunks of a streamed chat completion together again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from apps.providers.adapters.openai_payload import bad_response, response_from_json
from apps.providers.protocol import CompletionResponse


class StreamedCompletion:
    """Collects chunks; `response` is what the same call would have answered without streaming."""

    def __init__(self, *, requested_model: str) -> None:
        self._requested_model = requested_model
        self._started = time.perf_counter()
        self._first_token_s: float | None = None
        self._text: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish_reason: str | None = None
        self._usage: Mapping[str, Any] | None = None
        self._model: str | None = None
        self._chunks = 0

    def add(self, chunk: Mapping[str, Any]) -> str:
        """Take one chunk in; the text in it, which may be empty."""
        self._chunks += 1
        self._model = chunk.get("model") or self._model
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices") or []
        if not choices or not isinstance(choices[0], Mapping):
            return ""
        choice = choices[0]
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        delta = choice.get("delta") or {}
        for part in delta.get("tool_calls") or []:
            self._add_tool_call(part)
        text = delta.get("content") or ""
        if (text or delta.get("tool_calls")) and self._first_token_s is None:
            self._first_token_s = time.perf_counter() - self._started
        self._text.append(text)
        return str(text)

    def _add_tool_call(self, part: Mapping[str, Any]) -> None:
        call = self._calls.setdefault(int(part.get("index") or 0), {"id": "", "name": "", "arguments": ""})
        function = part.get("function") or {}
        call["id"] = part.get("id") or call["id"]
        call["name"] += function.get("name") or ""
        call["arguments"] += function.get("arguments") or ""

    def response(self) -> CompletionResponse:
        """The whole answer. Raises ProviderError(BAD_RESPONSE) when the stream ended too early."""
        if self._finish_reason is None:
            raise bad_response("The stream ended before the answer did.", "".join(self._text))
        calls = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
            }
            for _, call in sorted(self._calls.items())
        ]
        body = {
            "model": self._model,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": self._finish_reason,
                    "message": {"role": "assistant", "content": "".join(self._text), "tool_calls": calls},
                }
            ],
            "usage": dict(self._usage) if self._usage else None,
        }
        return response_from_json(
            body,
            requested_model=self._requested_model,
            duration_s=time.perf_counter() - self._started,
            first_token_s=self._first_token_s,
        )
