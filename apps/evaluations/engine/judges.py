"""Whoever scores by calls: from an evaluator and an output to requests, from answers to an outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from apps.core.errors import ProductError
from apps.core.models import Project
from apps.evaluations.engine.requests import parameters_of, request_message
from apps.evaluations.engine.rows import cost_of
from apps.evaluations.engine.scoring import scoring_input
from apps.evaluations.engine.work import WorkItem
from apps.evaluations.evaluators import ByCalls, Outcome, ScoringInput, Unscored, kind
from apps.evaluations.evaluators.references import reference_texts
from apps.evaluations.judge_settings import judge_prompt, secret_of
from apps.evaluations.models import EvalItem, EvalRun, Evaluator
from apps.prompts.models import PromptVersion
from apps.prompts.rendering import render_messages, variables_of
from apps.providers.connection import LOCAL, ProviderConnection
from apps.providers.models import Model
from apps.providers.protocol import CompletionRequest, CompletionResponse, Message, Parameters
from apps.providers.selectors import model_resolve
from apps.providers.services import provider_connection
from apps.providers.webhooks import webhook_connection

#: A judge's prompt that does not say how to answer is told so in the end.
FORMAT_VARIABLE = "answer_format"


class JudgeUnavailable(Exception):
    """The judge cannot be asked at all: its model, prompt or secret is not there. The text says why."""


class Judge(Protocol):
    """Asks for one evaluator. `connection` is where its calls go."""

    connection: ProviderConnection
    model: Model | None
    prompt_version: PromptVersion | None

    def requests(self, item: ScoringInput) -> list[CompletionRequest] | Unscored:
        """What to ask about one output, or why nothing. Raises RenderError."""
        ...

    def read(self, item: ScoringInput, responses: Sequence[CompletionResponse]) -> Outcome: ...

    def cost(self, response: CompletionResponse) -> Decimal | None: ...


class ModelJudge:
    """A model with a prompt of the project."""

    def __init__(self, *, project: Project, by_calls: ByCalls, config: Mapping[str, Any]) -> None:
        assert by_calls.prompt is not None
        self._by_calls, self._config = by_calls, config
        try:
            self.model: Model | None = model_resolve(project=project, name=config["model"])
            prompt = judge_prompt(project, by_calls.prompt, dict(config))
            self.connection = provider_connection(self.model.provider)
        except ProductError as error:
            raise JudgeUnavailable(error.detail) from error
        self.prompt_version = prompt.version
        self._messages, self._includes = prompt.messages, prompt.includes
        self._parameters: Parameters = parameters_of(prompt.parameters)
        self._tells_format = any(
            found.name == FORMAT_VARIABLE for found in variables_of(prompt.messages, prompt.includes)
        )

    def requests(self, item: ScoringInput) -> list[CompletionRequest] | Unscored:
        questions = self._by_calls.questions(item, self._config)
        return questions if isinstance(questions, Unscored) else [self._request(each) for each in questions]

    def _request(self, variables: Mapping[str, Any]) -> CompletionRequest:
        assert self.model is not None
        rendered = render_messages(self._messages, variables, includes=self._includes)
        messages = list(map(request_message, rendered))
        if not self._tells_format:
            messages.append(Message("user", f"Answer with {variables[FORMAT_VARIABLE]}."))
        structured = self._config["structured"] and self.connection.kind != LOCAL
        return CompletionRequest(
            model=self.model.name,
            messages=tuple(messages),
            parameters=self._parameters,
            response_schema=self._by_calls.schema(self._config) if structured else None,
        )

    def read(self, item: ScoringInput, responses: Sequence[CompletionResponse]) -> Outcome:
        return self._by_calls.read(responses, item, self._config)

    def cost(self, response: CompletionResponse) -> Decimal | None:
        return cost_of(self.model, response)


class WebhookJudge:
    """A URL that is sent the output as JSON."""

    model: Model | None = None
    prompt_version: PromptVersion | None = None

    def __init__(self, *, key: str, by_calls: ByCalls, config: Mapping[str, Any], secret: str) -> None:
        self._by_calls, self._config = by_calls, config
        self.connection = webhook_connection(
            key=key,
            url=config["url"],
            secret=secret,
            timeout_s=config["timeout_s"],
            max_concurrency=config["max_concurrency"],
        )

    def requests(self, item: ScoringInput) -> list[CompletionRequest] | Unscored:
        questions = self._by_calls.questions(item, self._config)
        if isinstance(questions, Unscored):
            return questions
        bodies = [json.dumps(question, ensure_ascii=False) for question in questions]
        return [
            CompletionRequest("webhook", (Message("user", body),), Parameters("webhook")) for body in bodies
        ]

    def read(self, item: ScoringInput, responses: Sequence[CompletionResponse]) -> Outcome:
        return self._by_calls.read(responses, item, self._config)

    def cost(self, response: CompletionResponse) -> Decimal | None:
        return None


def judge_for(
    *,
    project: Project,
    kind_name: str,
    config: Mapping[str, Any],
    evaluator: Evaluator | None = None,
    secret: str = "",
) -> Judge:
    """Whoever scores for a kind under complete settings. `secret` is for settings that are not saved yet.

    Raises JudgeUnavailable.
    """
    by_calls = kind(kind_name).by_calls
    assert by_calls is not None
    if by_calls.prompt is not None:
        return ModelJudge(project=project, by_calls=by_calls, config=config)
    try:
        stored = secret_of(evaluator, "secret") if evaluator else secret
    except ProductError as error:
        raise JudgeUnavailable(error.detail) from error
    key = str(evaluator.pk) if evaluator else f"trial:{project.pk}"
    return WebhookJudge(key=key, by_calls=by_calls, config=config, secret=stored)


def other_outputs(
    run: EvalRun, config: Mapping[str, Any], items: Sequence[WorkItem]
) -> dict[UUID, tuple[str, UUID | None]]:
    """Item → the output it is compared with, and the item that has it (None: the reference).

    Another run's output is that of the same example and repetition, of the first where it has fewer.
    """
    if config["against"] != "run":
        texts = {item.id: reference_texts(item.reference) for item in items}
        return {item_id: (found[0], None) for item_id, found in texts.items() if found}
    others = EvalItem.objects.filter(
        run__project=run.project_id,
        run__number=config["baseline_run"],
        example_key__in=[item.example_key for item in items],
        status__in=("answered", "completed"),
    )
    rows = others.values_list("example_key", "repetition", "output", "id")
    found = {(key, repetition): (output, pk) for key, repetition, output, pk in rows}
    pairs: dict[UUID, tuple[str, UUID | None]] = {}
    for item in items:
        other = found.get((item.example_key, item.repetition)) or found.get((item.example_key, 1))
        if other is not None:
            pairs[item.id] = other
    return pairs


def compared(item: WorkItem, other: tuple[str, UUID | None] | None) -> ScoringInput:
    """What a judge of pairs sees of an item."""
    seen = scoring_input(item)
    return seen if other is None else replace(seen, compared_with=other[0])
