"""Asking a judge about one typed example, in a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

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


def outcome_by_calls(
    *, project: Project, of: EvaluatorKind, config: dict[str, Any], item: ScoringInput
) -> Outcome:
    """What the judge says of one output; what fails is the reason for no score. Nothing is tried again."""
    try:
        judge = judge_for(
            project=project, kind_name=of.name, config=config, secret=str(config.get("secret") or "")
        )
        requests = judge.requests(_with_other(item))
    except (JudgeUnavailable, RenderError) as error:
        return Unscored(str(error))
    if isinstance(requests, Unscored):
        return requests
    try:
        return judge.read(item, _answers(judge, requests))
    except ProviderError as error:
        return Unscored(error.message)


def _with_other(item: ScoringInput) -> ScoringInput:
    """A pair is tried against the typed reference, whatever a run would compare with."""
    texts = reference_texts(item.reference)
    return replace(item, compared_with=texts[0] if texts else None)


def _answers(judge: Judge, requests: Sequence[CompletionRequest]) -> list[CompletionResponse]:
    if judge.connection.kind == LOCAL:
        from apps.providers.local_model import local_engine

        results = local_engine(judge.connection).generate(list(requests))
        failed = next((result for result in results if isinstance(result, ProviderError)), None)
        if failed is not None:
            raise failed
        return [result for result in results if isinstance(result, CompletionResponse)]
    return asyncio.run_coroutine_threadsafe(_asked(judge, requests), process_loop()).result()


async def _asked(judge: Judge, requests: Sequence[CompletionRequest]) -> list[CompletionResponse]:
    adapter = adapter_for(judge.connection)
    return list(await asyncio.gather(*(adapter.complete(request) for request in requests)))
