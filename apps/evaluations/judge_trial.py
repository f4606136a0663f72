"""Asking a judge about one typed example, in a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from apps.core.models import Project
from apps.evaluations.engine.judges import Judge, JudgeUnavailable, judge_for
from apps.evaluations.evaluators import EvaluatorKind, Outcome, ScoringInput, Unscored
from apps.evaluations.evaluators.references import reference_texts
from apps.prompts.rendering import RenderError
from apps.providers.connection import LOCAL
from apps.providers.models import Provider
from apps.providers.process_loop import process_loop
from apps.providers.protocol import CompletionRequest, CompletionResponse, ProviderError
from apps.providers.registry import adapter_for


def asks_local_model(project: Project, of: EvaluatorKind, config: dict[str, Any]) -> bool:
    """True when the judge is the model in a worker's memory."""
    if of.by_calls is None or of.by_calls.prompt is None:
        return False
    slug = config["model"].partition("/")[0]
    return Provider.objects.filter(project=project, slug=slug, kind=LOCAL).exists()


@dataclass(frozen=True, slots=True)
class JudgeCall:
    """One call to a judge: its answer, or why there is none. `cost_usd` None: not known."""

    request: CompletionRequest
    started_at: datetime
    result: CompletionResponse | ProviderError
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge said of one output, and the calls that it took. `judge` None: it could not be asked."""

    outcome: Outcome
    judge: Judge | None = None
    calls: tuple[JudgeCall, ...] = ()


def outcome_by_calls(
    *, project: Project, of: EvaluatorKind, config: dict[str, Any], item: ScoringInput
) -> Outcome:
    """What the judge says of one output; what fails is the reason for no score. Nothing is tried again."""
    return judged_by_calls(project=project, of=of, config=config, item=item).outcome


def judged_by_calls(
    *, project: Project, of: EvaluatorKind, config: dict[str, Any], item: ScoringInput
) -> Judged:
    """The same, with the calls that were made for it."""
    try:
        judge = judge_for(
            project=project, kind_name=of.name, config=config, secret=str(config.get("secret") or "")
        )
        requests = judge.requests(_with_other(item))
    except (JudgeUnavailable, RenderError) as error:
        return Judged(Unscored(str(error)))
    if isinstance(requests, Unscored):
        return Judged(requests)
    started = timezone.now()
    results = _results(judge, requests)
    calls = tuple(
        JudgeCall(request, started, result, None if isinstance(result, ProviderError) else judge.cost(result))
        for request, result in zip(requests, results, strict=True)
    )
    failed = next((result for result in results if isinstance(result, ProviderError)), None)
    if failed is not None:
        return Judged(Unscored(failed.message), judge, calls)
    answers = [result for result in results if isinstance(result, CompletionResponse)]
    return Judged(judge.read(item, answers), judge, calls)


def _with_other(item: ScoringInput) -> ScoringInput:
    """A pair is tried against the typed reference, whatever a run would compare with."""
    texts = reference_texts(item.reference)
    return replace(item, compared_with=texts[0] if texts else None)


def _results(judge: Judge, requests: Sequence[CompletionRequest]) -> list[CompletionResponse | ProviderError]:
    if judge.connection.kind == LOCAL:
        from apps.providers.local_model import local_engine

        try:
            return local_engine(judge.connection).generate(list(requests))
        except ProviderError as error:  # the model cannot be loaded at all
            return [error] * len(requests)
    return asyncio.run_coroutine_threadsafe(_asked(judge, requests), process_loop()).result()


async def _asked(
    judge: Judge, requests: Sequence[CompletionRequest]
) -> list[CompletionResponse | ProviderError]:
    return list(await asyncio.gather(*(_answer(judge, request) for request in requests)))


async def _answer(judge: Judge, request: CompletionRequest) -> CompletionResponse | ProviderError:
    try:
        return await adapter_for(judge.connection).complete(request)
    except ProviderError as error:
        return error
