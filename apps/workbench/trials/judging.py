"""Asking the judges of a trial: what they say, what it cost, and each of their calls as a span."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models import F

from apps.core.errors import ProductError
from apps.core.models import new_id
from apps.evaluations.engine.rows import rendered_messages, storable
from apps.evaluations.engine.scoring import Score, scores_of, scoring_input
from apps.evaluations.engine.work import WorkItem
from apps.evaluations.evaluators import Unscored, kind
from apps.evaluations.judge_settings import secret_of
from apps.evaluations.judge_trial import JudgeCall, Judged, judged_by_calls
from apps.evaluations.models import EvaluatorVersion
from apps.providers.protocol import ProviderError
from apps.providers.selectors import model_resolve
from apps.traces.services import spans_write
from apps.workbench.calls.spending import check_month
from apps.workbench.models import TrialCell

log = logging.getLogger(__name__)


def cell_judge(cell: TrialCell, version: EvaluatorVersion, item: WorkItem) -> list[Score]:
    """What a judge says of the cell's answer. What it cost is kept whatever becomes of the scores."""
    of = kind(version.evaluator.kind)
    try:
        _refuse_without_budget(cell, version)
    except ProductError as error:
        return scores_of(version, item.id, Unscored(error.detail))
    try:
        config = {**version.config, "secret": secret_of(version.evaluator, "secret")}
        judged = judged_by_calls(project=cell.trial.project, of=of, config=config, item=scoring_input(item))
    except Exception as error:
        log.exception("The evaluator %s failed", version)
        reason = f"The evaluator {version} failed: {type(error).__name__}: {error}"[:1000]
        return scores_of(version, item.id, Unscored(reason))
    _keep_cost(cell, judged)
    _keep_spans(cell, version, judged)
    return scores_of(version, item.id, judged.outcome)


def _refuse_without_budget(cell: TrialCell, version: EvaluatorVersion) -> None:
    """Raises BudgetUsedUp, and InvalidRun where a judge's price is not known, as for any other call."""
    by_calls = kind(version.evaluator.kind).by_calls
    if by_calls is not None and by_calls.prompt is not None:
        project = cell.trial.project
        model = model_resolve(project=project, name=str(version.config.get("model") or ""))
        check_month(project=project, models=[model])


def _keep_cost(cell: TrialCell, judged: Judged) -> None:
    known = [call.cost_usd for call in judged.calls if call.cost_usd is not None]
    answered = sum(not isinstance(call.result, ProviderError) for call in judged.calls)
    has_price = judged.judge is not None and judged.judge.model is not None
    unknown = answered - len(known) if has_price else 0
    if any(known) or unknown:
        TrialCell.objects.filter(pk=cell.pk).update(
            judge_cost_usd=F("judge_cost_usd") + sum(known, Decimal(0)),
            judge_unknown=F("judge_unknown") + unknown,
        )


def _keep_spans(cell: TrialCell, version: EvaluatorVersion, judged: Judged) -> None:
    """Beside the span of the answer, in its trace. A span that was deleted takes no others."""
    call = cell.call
    if call is None or call.span is None:
        return
    spans_write(project_id=call.project_id, spans=_spans(cell, version, judged, str(call.span.trace_id)))


def _spans(
    cell: TrialCell, version: EvaluatorVersion, judged: Judged, trace: str
) -> Sequence[dict[str, Any]]:
    judge = judged.judge
    if judge is None:
        return []
    shared = {
        "trace_id": trace,
        "kind": "evaluator",
        "name": f"{version.evaluator.name}: {cell.example.key}"[:200],
        "prompt_version_id": judge.prompt_version.pk if judge.prompt_version else None,
        "model_id": judge.model.pk if judge.model else None,
        "origin": f"call:{cell.call_id}",
        "inputs": cell.example.inputs,
        "parameters": judge.prompt_version.parameters if judge.prompt_version else {},
    }
    return [
        {name: storable(value) for name, value in {**shared, **_span_of(judge.connection.slug, call)}.items()}
        for call in judged.calls
    ]


def _span_of(provider: str, call: JudgeCall) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": str(new_id()),
        "model_name": f"{provider}/{call.request.model}"[:200],
        "messages": rendered_messages(call.request),
        "started_at": call.started_at.isoformat(),
    }
    if isinstance(call.result, ProviderError):
        return row | {"error_kind": call.result.kind.value[:30], "error": call.result.message}
    return row | {
        "output": call.result.text,
        "finish_reason": call.result.finish_reason[:40],
        "input_tokens": call.result.input_tokens,
        "output_tokens": call.result.output_tokens,
        "cost_usd": None if call.cost_usd is None else str(call.cost_usd),
        "duration_ms": call.result.duration_s * 1000,
    }
