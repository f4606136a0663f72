"""From what came out of a slice to the rows that are written: JSON values, nothing that Postgres refuses."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from apps.core.models import new_id
from apps.evaluations.engine.scoring import Score
from apps.evaluations.engine.stages import Stage
from apps.evaluations.engine.work import (
    Answer,
    Failure,
    pauses_the_run,
    rendered_messages,
    tool_calls,
    wait_before_retry,
)
from apps.evaluations.models import EvalRun
from apps.providers.models import Model
from apps.providers.prices import cost_usd
from apps.providers.protocol import CompletionResponse

_NOTHING: dict[str, Any] = {
    "stage": 0,
    "output": "",
    "tool_calls": [],
    "finish_reason": "",
    "error_kind": "",
    "error": "",
    "cached": False,
}


def answer_row(model: Model | None, answer: Answer, next_stage: Stage | None) -> dict[str, Any]:
    """What becomes of the item: answered, failed, or to be tried again."""
    row = {
        **_NOTHING,
        "id": str(answer.item.id),
        "rendered": rendered_messages(answer.request),
        "span_id": None if answer.cached else str(new_id()),
    }
    if answer.failure is not None:
        row |= _failed(answer, answer.failure)
    if answer.response is not None:
        row |= _answered(model, answer, answer.response, next_stage)
    return {name: storable(value) for name, value in row.items()}


def _failed(answer: Answer, failure: Failure) -> dict[str, Any]:
    now = timezone.now()
    told = {"error_kind": failure.kind, "error": failure.message}
    if answer.gives_up:
        return {**told, "status": "failed", "answered_at": now.isoformat()}
    if pauses_the_run(failure):
        return {**told, "status": "pending"}
    wait = wait_before_retry(answer.item.attempts, failure.retry_after_s)
    return {**told, "status": "pending", "next_attempt_at": (now + timedelta(seconds=wait)).isoformat()}


def _answered(
    model: Model | None, answer: Answer, response: CompletionResponse, next_stage: Stage | None
) -> dict[str, Any]:
    cost = Decimal(0) if answer.cached else cost_of(model, response)
    first = response.time_to_first_token_s
    return {
        "status": "completed" if next_stage is None else "answered",
        "stage": int(next_stage or 0),
        "output": response.text,
        "tool_calls": tool_calls(response.tool_calls),
        "finish_reason": response.finish_reason[:40],
        "input_tokens": response.input_tokens,
        "output_tokens": response.output_tokens,
        "cost_usd": None if cost is None else str(cost),
        "cached": answer.cached,
        # A kept answer took no time worth telling.
        "latency_ms": None if answer.cached else response.duration_s * 1000,
        "time_to_first_token_ms": None if first is None or answer.cached else first * 1000,
        "answered_at": timezone.now().isoformat(),
    }


def cost_of(model: Model | None, response: CompletionResponse) -> Decimal | None:
    """What a call cost in US dollars; None where the price or the tokens are not known."""
    if model is None:
        return None
    return cost_usd(
        model.name,
        kind=model.provider.kind,
        base_url=model.provider.base_url,
        input_tokens=response.input_tokens,
        output_tokens=response.output_tokens,
        override=model.price_override,
    )


def span_row(run: EvalRun, answer: Answer, row: dict[str, Any]) -> dict[str, Any]:
    """The call as a span, from the item's row."""
    same = ("input_tokens", "output_tokens", "cost_usd", "time_to_first_token_ms", "output", "tool_calls")
    return {
        "id": row["span_id"],
        "trace_id": run.plan["trace"],
        "name": storable(f"{run.name}: {answer.item.example_key}"[:200]),
        "prompt_version_id": run.prompt_version_id,
        "model_id": run.model_id,
        "model_name": run.model_name,
        "origin": f"eval_item:{answer.item.id}",
        "inputs": answer.item.inputs,
        "messages": row["rendered"],
        "parameters": run.parameters,
        "started_at": answer.started_at.isoformat(),
        "duration_ms": row.get("latency_ms"),
        **{name: row.get(name) for name in (*same, "finish_reason", "error_kind", "error")},
    }


def try_row(answer: Answer) -> dict[str, Any]:
    """A try that gave no answer."""
    failure = answer.failure
    assert failure is not None
    return {
        "item_id": str(answer.item.id),
        "purpose": "answer",
        "number": answer.item.attempts + 1,
        "started_at": answer.started_at.isoformat(),
        "duration_ms": (timezone.now() - answer.started_at).total_seconds() * 1000,
        "error_kind": failure.kind[:30],
        "error": storable(failure.message),
        "status_code": failure.status,
        "retry_after_s": failure.retry_after_s,
    }


def score_row(score: Score) -> dict[str, Any]:
    return {
        "item_id": str(score.item_id),
        "evaluator_version_id": str(score.evaluator_version_id),
        "metric": score.metric,
        "value": score.value,
        "label": score.label,
        "detail": score.detail,
        "statistics": storable(score.statistics),
    }


def storable(value: Any) -> Any:
    """Postgres keeps no NUL in text or JSON; half a surrogate pair cannot be sent as UTF-8."""
    if isinstance(value, str):
        if "\x00" in value:
            value = value.replace("\x00", "\N{SYMBOL FOR NULL}")
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(key): storable(item) for key, item in value.items()}
    return value
