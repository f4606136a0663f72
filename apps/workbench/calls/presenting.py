"""A call as JSON: what events, the page's requests and REST tell of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.workbench.models import Call

#: What `as JSON` reads beside the row itself.
RELATED = ("prompt_version", "prompt")


def call_as_json(call: Call, *, whole: bool = False) -> dict[str, Any]:
    """The call without what it was made of; `whole` adds content, values and the messages that were sent."""
    version = call.prompt_version
    shown: dict[str, Any] = {
        "id": str(call.pk),
        "column": call.column,
        "batch": str(call.batch),
        "purpose": call.purpose,
        "status": call.status,
        "output": call.output,
        "tool_calls": call.tool_calls,
        "finish_reason": call.finish_reason,
        "error_kind": call.error_kind,
        "error": call.error,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cost_usd": None if call.cost_usd is None else f"{call.cost_usd.normalize():f}",
        "time_to_first_token_ms": call.time_to_first_token_ms,
        "duration_ms": call.duration_ms,
        "model_name": call.model_name,
        "prompt_version": version.number if version else None,
        "keep": call.keep,
        "by": call.author_label,
        "created_at": call.created_at.isoformat(),
        "started_at": _time(call.started_at),
        "finished_at": _time(call.finished_at),
    }
    if whole:
        shown |= {"content": call.content, "inputs": call.inputs, "messages": call.messages}
    return shown


def _time(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
