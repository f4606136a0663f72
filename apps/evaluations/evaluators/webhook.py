"""Scored elsewhere: a URL is sent each output, signed, and answers with a score or a label."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .base import (
    Config,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
    JsonSchema,
    MetricSpec,
    Outcome,
    Place,
    Scored,
    ScoringInput,
    Unscored,
    config_object,
)
from .by_calls import ByCalls, Variables, asked_elsewhere
from .references import shorten
from .settings import line, whole_number

if TYPE_CHECKING:
    from apps.providers.protocol import CompletionResponse


def _check(config: Config) -> None:
    from apps.core.url_guard import ForbiddenAddress, check_webhook_url

    try:
        check_webhook_url(config["url"])
    except ForbiddenAddress as error:
        raise InvalidEvaluatorConfig({"url": [str(error)]}) from None


def _questions(item: ScoringInput, config: Config) -> Sequence[Variables] | Unscored:
    return [
        {
            "inputs": dict(item.inputs),
            "output": item.output,
            "reference": item.reference,
            "metadata": dict(item.metadata),
        }
    ]


def _schema(config: Config) -> JsonSchema:
    return {
        "type": "object",
        "properties": {
            "score": {"type": ["number", "boolean", "null"]},
            "label": {"type": ["string", "null"]},
            "reason": {"type": ["string", "null"]},
        },
    }


def _read(responses: Sequence[CompletionResponse], item: ScoringInput, config: Config) -> Outcome:
    answer = _object(responses[0].text)
    if answer is None or not answer.keys() & {"score", "label", "reason"}:
        said = f"“{shorten(responses[0].text.strip(), 200)}”" if responses[0].text.strip() else "nothing"
        return Unscored(f"The webhook did not answer with JSON that has a score or label. It said: {said}.")
    score, label, reason = answer.get("score"), answer.get("label"), answer.get("reason")
    told = "" if reason is None else str(reason)
    if label is not None and not isinstance(label, str):
        return Unscored("The webhook's label is not text.")
    if score is None:
        return Scored({}, told, label=label) if label else Unscored(told or "The webhook gave no score.")
    if not isinstance(score, int | float) or not math.isfinite(score):
        return Unscored(f"The webhook's score is not a number: “{shorten(json.dumps(score), 100)}”.")
    return Scored({"score": float(score)}, told, label=label or "")


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


WEBHOOK = EvaluatorKind(
    name="webhook",
    title="Webhook",
    description="Your own server scores each output. It is sent a signed POST with JSON {inputs, output, "
    "reference, metadata}, and answers with JSON: any of score (a number), label and reason.",
    config_schema=config_object(
        {
            "url": line(
                "URL", "Where each output is posted: http:// or https://.", longest=500, default=None
            ),
            "secret": line(
                "Signing secret",
                "16 characters or more, kept encrypted and never shown again. Your server checks the "
                "signature with it. When you edit, leave it empty to keep the one that is stored.",
                longest=500,
            )
            | {"writeOnly": True},
            "timeout_s": whole_number(
                "Time-out", "Seconds until a call is given up and tried again.", low=1, high=300, default=30
            ),
            "max_concurrency": whole_number(
                "Calls at once", "How many calls your server takes at once.", low=1, high=256, default=8
            ),
        },
        required=("url",),
    ),
    metrics=(MetricSpec("score", "Score", "higher", "continuous"),),
    make_scorer=asked_elsewhere(_check),
    group=Group.ELSEWHERE,
    place=Place.CALLS,
    by_calls=ByCalls(_questions, _read, _schema),
    also_needs="a server of yours that answers",
)
