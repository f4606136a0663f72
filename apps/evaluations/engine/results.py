"""Keeping what came out of a slice: answers, scores, tries and spans, in bulk and under the claim's token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.evaluations.engine.leases import items_lock
from apps.evaluations.engine.rows import answer_row, score_row, span_row, try_row
from apps.evaluations.engine.scoring import Score
from apps.evaluations.engine.stages import Stage
from apps.evaluations.engine.work import Answer
from apps.evaluations.models import EvalItem, EvalRun
from apps.traces.services import spans_write

_STORE_ANSWERS = """
UPDATE evaluations_evalitem AS item SET
    status = new.status, stage = new.stage, attempts = item.attempts + 1, lease_token = NULL,
    lease_until = NULL, next_attempt_at = new.next_attempt_at, rendered = new.rendered, output = new.output,
    tool_calls = new.tool_calls, finish_reason = new.finish_reason, error_kind = new.error_kind,
    error = new.error, input_tokens = new.input_tokens, output_tokens = new.output_tokens,
    cost_usd = new.cost_usd, cached = new.cached, latency_ms = new.latency_ms,
    time_to_first_token_ms = new.time_to_first_token_ms, span_id = new.span_id, answered_at = new.answered_at
FROM jsonb_to_recordset(%s) AS new(
    id uuid, status text, stage int, next_attempt_at timestamptz, rendered jsonb, output text,
    tool_calls jsonb, finish_reason text, error_kind text, error text, input_tokens int, output_tokens int,
    cost_usd numeric, cached bool, latency_ms float, time_to_first_token_ms float, span_id uuid,
    answered_at timestamptz)
WHERE item.id = new.id AND item.lease_token = %s
RETURNING item.id
"""
_STORE_SCORED = """
UPDATE evaluations_evalitem SET status = %s, stage = %s, scoring_attempts = 0, next_attempt_at = NULL,
    lease_token = NULL, lease_until = NULL
WHERE id = ANY(%s) AND lease_token = %s RETURNING id
"""
_STORE_SCORES = """
INSERT INTO evaluations_itemscore
    (item_id, evaluator_version_id, metric, source, rater, value, label, detail, statistics)
SELECT item_id, evaluator_version_id, metric, 'evaluator', '', value, label, detail, statistics
FROM jsonb_to_recordset(%s) AS new(
    item_id uuid, evaluator_version_id uuid, metric text, value float, label text, detail text,
    statistics jsonb)
ON CONFLICT (item_id, evaluator_version_id, metric, source, rater)
DO UPDATE SET value = excluded.value, label = excluded.label, detail = excluded.detail,
    statistics = excluded.statistics
"""
_STORE_TRIES = """
INSERT INTO evaluations_itemattempt
    (item_id, purpose, number, started_at, duration_ms, error_kind, error, status_code, retry_after_s)
SELECT item_id, purpose, number, started_at, duration_ms, error_kind, error, status_code, retry_after_s
FROM jsonb_to_recordset(%s) AS new(
    item_id uuid, purpose text, number int, started_at timestamptz, duration_ms float, error_kind text,
    error text, status_code int, retry_after_s float)
"""


def answers_store(
    *,
    run: EvalRun,
    token: UUID,
    answers: Sequence[Answer],
    scores: Sequence[Score],
    next_stage: Stage | None,
) -> int:
    """Write answers with their scores, failed tries and spans; returns how many were still ours to write.

    An item whose claim was lost meanwhile keeps what its new holder makes of it: nothing is stored twice.
    With `next_stage` an answered item waits for the evaluators of that stage.
    """
    if not answers:
        return 0
    rows = [answer_row(run.model, answer, next_stage) for answer in answers]
    with transaction.atomic():
        items_lock(EvalItem.objects.filter(pk__in=[answer.item.id for answer in answers], lease_token=token))
        accepted = _ids(_STORE_ANSWERS, [json.dumps(rows), token])
        kept = [
            (answer, row) for answer, row in zip(answers, rows, strict=True) if answer.item.id in accepted
        ]
        spans_write(
            project_id=run.project_id,
            spans=[span_row(run, answer, row) for answer, row in kept if not answer.cached],
        )
        tries_store([try_row(answer) for answer, _ in kept if answer.failure is not None])
        scores_store([score for score in scores if score.item_id in accepted])
    return len(accepted)


def scored_store(
    *, token: UUID, item_ids: Sequence[UUID], scores: Sequence[Score], next_stage: Stage | None
) -> int:
    """Write the scores of answered items, which then wait for `next_stage`, or are complete; returns how many
    were still ours."""
    status, stage = ("completed", 0) if next_stage is None else ("answered", int(next_stage))
    with transaction.atomic():
        items_lock(EvalItem.objects.filter(pk__in=item_ids, lease_token=token))
        accepted = _ids(_STORE_SCORED, [status, stage, list(item_ids), token])
        scores_store([score for score in scores if score.item_id in accepted])
    return len(accepted)


def scores_store(scores: Sequence[Score]) -> None:
    """Write scores; one that is there already (an item answered again) is replaced."""
    _insert(_STORE_SCORES, [score_row(score) for score in scores])


def tries_store(tries: Sequence[dict[str, Any]]) -> None:
    """Write tries, each a row as `try_row` makes it."""
    _insert(_STORE_TRIES, tries)


def _insert(statement: str, rows: Sequence[dict[str, object]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [json.dumps(rows)])


def _ids(statement: str, values: list[Any]) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return {row[0] for row in cursor.fetchall()}
