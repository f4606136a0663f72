"""Keeping what judges said: scores, votes, costs, tries and spans, in bulk and under the claim's token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.core.models import new_id
from apps.evaluations.engine.judged_items import JudgedItem, Judgement
from apps.evaluations.engine.leases import items_lock
from apps.evaluations.engine.results import scores_store, tries_store
from apps.evaluations.engine.rows import storable, try_row
from apps.evaluations.engine.scoring import scores_of
from apps.evaluations.engine.stages import Stage
from apps.evaluations.engine.work import Answer, rendered_messages, wait_before_retry
from apps.evaluations.evaluators import Scored, kind
from apps.evaluations.models import EvalItem, EvalRun, PairVote
from apps.traces.services import spans_write

_STORE_JUDGED = """
UPDATE evaluations_evalitem AS item SET
    status = new.status, stage = new.stage, scoring_attempts = new.scoring_attempts,
    next_attempt_at = new.next_attempt_at, lease_token = NULL, lease_until = NULL,
    judge_cost_usd = CASE WHEN new.cost IS NULL THEN item.judge_cost_usd
        ELSE coalesce(item.judge_cost_usd, 0) + new.cost END,
    judge_tokens = coalesce(item.judge_tokens, 0) + new.tokens
FROM jsonb_to_recordset(%s) AS new(
    id uuid, status text, stage int, scoring_attempts int, next_attempt_at timestamptz, cost numeric,
    tokens int)
WHERE item.id = new.id AND item.lease_token = %s AND item.status = 'answered'
RETURNING item.id
"""
_WINNERS = {"win": PairVote.Winner.ITEM, "loss": PairVote.Winner.OTHER, "tie": PairVote.Winner.TIE}


def judged_store(
    *, run: EvalRun, token: UUID, items: Sequence[JudgedItem], stage: Stage, next_stage: Stage | None
) -> int:
    """Write items as far as they are judged; returns how many were still ours to write.

    One with all its outcomes goes on to `next_stage` or is complete; one that is tried again keeps the
    outcomes that it has, and so does one that was interrupted.
    """
    if not items:
        return 0
    rows = [_row(item, stage, next_stage) for item in items]
    with transaction.atomic():
        items_lock(EvalItem.objects.filter(pk__in=[item.item.id for item in items], lease_token=token))
        with connection.cursor() as cursor:
            cursor.execute(_STORE_JUDGED, [json.dumps(rows), token])
            accepted = {row[0] for row in cursor.fetchall()}
        kept = [judgement for item in items if item.item.id in accepted for judgement in item.judgements]
        scores_store(
            [
                score
                for judgement in kept
                if judgement.outcome is not None
                for score in scores_of(judgement.version, judgement.item.id, judgement.outcome)
            ]
        )
        _votes_store(kept)
        answers = [(judgement, answer) for judgement in kept for answer in judgement.answers.values()]
        tries_store([_try(answer) for _, answer in answers if answer.failure is not None])
        spans = [_span(run, judgement, answer) for judgement, answer in answers if not answer.cached]
        spans_write(project_id=run.project_id, spans=spans if run.plan.get("trace") else [])
    return len(accepted)


def _row(item: JudgedItem, stage: Stage, next_stage: Stage | None) -> dict[str, Any]:
    cost, failure = item.cost(), item.retry
    row: dict[str, Any] = {
        "id": str(item.item.id),
        "cost": None if cost is None else str(cost),
        "tokens": item.tokens(),
        "next_attempt_at": None,
    }
    if item.done:
        status = "completed" if next_stage is None else "answered"
        return {**row, "status": status, "stage": int(next_stage or 0), "scoring_attempts": 0}
    row |= {"status": "answered", "stage": int(stage), "scoring_attempts": item.item.attempts}
    if failure is not None:
        wait = wait_before_retry(item.item.attempts, failure.retry_after_s)
        row["scoring_attempts"] += 1
        row["next_attempt_at"] = (timezone.now() + timedelta(seconds=wait)).isoformat()
    return row


def _votes_store(judgements: Sequence[Judgement]) -> None:
    votes = [
        PairVote(
            item_id=judgement.item.id,
            other_item_id=judgement.other_item_id,
            evaluator_version=judgement.version,
            rater=f"judge:{judgement.version.evaluator.slug}",
            winner=_WINNERS[judgement.outcome.label],
            consistent=not judgement.outcome.statistics["flips"],
            reason=storable(judgement.outcome.detail)[:4000],
        )
        for judgement in judgements
        if isinstance(judgement.outcome, Scored) and _votes(judgement)
    ]
    PairVote.objects.bulk_create(
        votes,
        update_conflicts=True,
        unique_fields=["item", "other_item", "evaluator_version", "rater"],
        update_fields=["winner", "consistent", "reason"],
    )


def _votes(judgement: Judgement) -> bool:
    by_calls = kind(judgement.version.evaluator.kind).by_calls
    return by_calls is not None and by_calls.votes


def _try(answer: Answer) -> dict[str, Any]:
    return {**try_row(answer), "purpose": "score"}


def _span(run: EvalRun, judgement: Judgement, answer: Answer) -> dict[str, Any]:
    """The judge's call as a span of the run's trace."""
    judge, response, failure, request = judgement.judge, answer.response, answer.failure, answer.request
    assert request is not None
    cost = None if response is None else judge.cost(response)
    row: dict[str, Any] = {
        "id": str(new_id()),
        "trace_id": run.plan["trace"],
        "kind": "evaluator",
        "name": f"{judgement.version.evaluator.name}: {judgement.item.example_key}"[:200],
        "prompt_version_id": judge.prompt_version.pk if judge.prompt_version else None,
        "model_id": judge.model.pk if judge.model else None,
        "model_name": f"{judge.connection.slug}/{request.model}"[:200],
        "origin": f"eval_item:{judgement.item.id}",
        "inputs": judgement.item.inputs,
        "messages": rendered_messages(request),
        "parameters": {} if judge.prompt_version is None else judge.prompt_version.parameters,
        "started_at": answer.started_at.isoformat(),
    }
    if response is not None:
        row |= {
            "output": response.text,
            "finish_reason": response.finish_reason[:40],
            "input_tokens": response.input_tokens,
            "output_tokens": response.output_tokens,
            "cost_usd": None if cost is None else str(cost),
            "duration_ms": response.duration_s * 1000,
        }
    if failure is not None:
        row |= {"error_kind": failure.kind[:30], "error": failure.message}
    return {name: storable(value) for name, value in row.items()}
