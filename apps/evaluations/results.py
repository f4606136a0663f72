"""Keeping what came out of a slice: answers, scores and spans, in bulk and under the claim's token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.core.models import new_id
from apps.evaluations.engine import Answer, rendered_messages, tool_calls, wait_before_retry
from apps.evaluations.models import EvalRun, ItemScore
from apps.evaluations.scoring import Score
from apps.providers.models import Model
from apps.providers.prices import Price, cost_usd
from apps.providers.protocol import CompletionResponse
from apps.traces.models import Span

_STORE_ANSWERS = """
UPDATE evaluations_evalitem AS item SET
    status = new.status, attempts = item.attempts + 1, lease_token = NULL, lease_until = NULL,
    next_attempt_at = new.next_attempt_at, rendered = new.rendered, output = new.output,
    tool_calls = new.tool_calls, finish_reason = new.finish_reason, error_kind = new.error_kind,
    error = new.error, input_tokens = new.input_tokens, output_tokens = new.output_tokens,
    cost_usd = new.cost_usd, latency_ms = new.latency_ms,
    time_to_first_token_ms = new.time_to_first_token_ms, span_id = new.span_id, answered_at = new.answered_at
FROM jsonb_to_recordset(%s) AS new(
    id uuid, status text, next_attempt_at timestamptz, rendered jsonb, output text, tool_calls jsonb,
    finish_reason text, error_kind text, error text, input_tokens int, output_tokens int, cost_usd numeric,
    latency_ms float, time_to_first_token_ms float, span_id uuid, answered_at timestamptz)
WHERE item.id = new.id AND item.lease_token = %s
RETURNING item.id
"""
_STORE_SCORED = """
UPDATE evaluations_evalitem SET status = 'completed', lease_token = NULL, lease_until = NULL
WHERE id = ANY(%s) AND lease_token = %s RETURNING id
"""


def answers_store(
    *, run: EvalRun, token: UUID, answers: Sequence[Answer], scores: Sequence[Score], more_to_score: bool
) -> int:
    """Write answers with their scores and spans; returns how many were still ours to write.

    An item whose claim was lost meanwhile keeps what its new holder makes of it: nothing is stored twice.
    With `more_to_score` an answered item waits for the evaluators that need a model in memory.
    """
    rows = [_answer_row(run.model, answer, more_to_score) for answer in answers]
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_STORE_ANSWERS, [json.dumps(rows), token])
            accepted = {row[0] for row in cursor.fetchall()}
        kept = [
            (answer, row) for answer, row in zip(answers, rows, strict=True) if answer.item.id in accepted
        ]
        Span.objects.bulk_create([_span(run, answer, row) for answer, row in kept])
        scores_store([score for score in scores if score.item_id in accepted])
    return len(accepted)


def scored_store(*, token: UUID, item_ids: Sequence[UUID], scores: Sequence[Score]) -> int:
    """Write the scores of answered items, which are completed by it; returns how many were still ours."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_STORE_SCORED, [list(item_ids), token])
            accepted = {row[0] for row in cursor.fetchall()}
        scores_store([score for score in scores if score.item_id in accepted])
    return len(accepted)


def scores_store(scores: Sequence[Score]) -> None:
    """Write scores; one that is there already (an item answered again) is replaced."""
    ItemScore.objects.bulk_create(
        [
            ItemScore(
                item_id=score.item_id,
                evaluator_version_id=score.evaluator_version_id,
                metric=score.metric,
                value=score.value,
                detail=score.detail,
            )
            for score in scores
        ],
        update_conflicts=True,
        unique_fields=("item", "evaluator_version", "metric", "source", "rater"),
        update_fields=("value", "detail"),
        batch_size=2000,
    )


def _answer_row(model: Model | None, answer: Answer, more_to_score: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": str(answer.item.id),
        "status": "pending",
        "rendered": rendered_messages(answer.request),
        "span_id": str(new_id()),
        "output": "",
        "tool_calls": [],
        "finish_reason": "",
        "error_kind": "",
        "error": "",
    }
    now = timezone.now()
    if answer.failure is not None:
        failure = answer.failure
        row |= {"error_kind": failure.kind, "error": _storable(failure.message)}
        if answer.gives_up:
            row |= {"status": "failed", "answered_at": now.isoformat()}
        else:
            wait = wait_before_retry(answer.item.attempts, failure.retry_after_s)
            row["next_attempt_at"] = (now + timedelta(seconds=wait)).isoformat()
    if answer.response is not None:
        response = answer.response
        cost = _cost(model, response) if model else None
        first = response.time_to_first_token_s
        row |= {
            "status": "answered" if more_to_score else "completed",
            "output": _storable(response.text),
            "tool_calls": tool_calls(response.tool_calls),
            "finish_reason": response.finish_reason[:40],
            "input_tokens": response.input_tokens,
            "output_tokens": response.output_tokens,
            "cost_usd": None if cost is None else str(cost),
            "latency_ms": response.duration_s * 1000,
            "time_to_first_token_ms": None if first is None else first * 1000,
            "answered_at": now.isoformat(),
        }
    return {name: _without_nul(value) for name, value in row.items()}


def _cost(model: Model, response: CompletionResponse) -> Decimal | None:
    override = None
    if model.input_price is not None and model.output_price is not None:
        override = Price(model.input_price, model.output_price)
    return cost_usd(
        model.name,
        kind=model.provider.kind,
        base_url=model.provider.base_url,
        input_tokens=response.input_tokens,
        output_tokens=response.output_tokens,
        override=override,
    )


def _span(run: EvalRun, answer: Answer, row: dict[str, Any]) -> Span:
    return Span(
        id=row["span_id"],
        project_id=run.project_id,
        trace_id=run.plan["trace"],
        name=f"{run.name}: {answer.item.example_key}"[:200],
        prompt_version_id=run.prompt_version_id,
        model_id=run.model_id,
        model_name=run.model_name,
        origin=f"eval_item:{answer.item.id}",
        inputs=answer.item.inputs,
        messages=row["rendered"],
        parameters=run.parameters,
        started_at=answer.started_at,
        duration_ms=row.get("latency_ms"),
        **{
            name: row.get(name)
            for name in ("input_tokens", "output_tokens", "cost_usd", "time_to_first_token_ms")
        },
        **{name: row[name] for name in ("output", "tool_calls", "finish_reason", "error_kind", "error")},
    )


def _storable(text: str) -> str:
    """Postgres keeps no NUL in text; half a surrogate pair cannot be sent as UTF-8."""
    return text.replace("\x00", "\N{SYMBOL FOR NULL}").encode(errors="replace").decode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(item) for key, item in value.items()}
    return value
