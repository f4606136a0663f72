"""Spans as pages show them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.traces.models import Span, SpanScore
from apps.traces.scores import THUMB

_SHOWN_SCORES = 4


@dataclass(frozen=True, slots=True)
class ScoreShown:
    """A metric's scores of one span in a few words: "2 up, 1 down", "0.750", "0.667 of 3"."""

    metric: str
    words: str
    is_thumb: bool


@dataclass(frozen=True, slots=True)
class SpanRow:
    span: Span
    scores: list[ScoreShown]
    seconds: float | None
    tokens: int | None


def span_rows(spans: Iterable[Span]) -> list[SpanRow]:
    """Rows of `spans_listed`."""
    return [
        SpanRow(
            span,
            scores_shown(list(span.scores.all()))[:_SHOWN_SCORES],
            seconds_of(span.duration_ms),
            _sum(span.input_tokens, span.output_tokens),
        )
        for span in spans
    ]


def scores_shown(scores: Sequence[SpanScore]) -> list[ScoreShown]:
    """One for each metric, in the order of the scores."""
    by_metric: dict[str, list[SpanScore]] = {}
    for score in scores:
        by_metric.setdefault(score.metric, []).append(score)
    return [ScoreShown(name, _words(name, same), name == THUMB) for name, same in by_metric.items()]


def _words(metric: str, scores: Sequence[SpanScore]) -> str:
    values = [score.value for score in scores if score.value is not None]
    if metric == THUMB and values:
        up = sum(value > 0 for value in values)
        told = [f"{up} up"] * bool(up) + [f"{len(values) - up} down"] * (up < len(values))
        return ", ".join(told)
    labels = sorted({score.label for score in scores if score.label})
    if labels:
        return ", ".join(labels)
    if not values:
        return "no number"
    mean = f"{sum(values) / len(values):.3g}"
    return mean if len(values) == 1 else f"{mean} of {len(values)}"


def workbench_address(*, project_slug: str, span: Span) -> str:
    """Where the span's prompt opens with its inputs filled in; "" for a span of no prompt."""
    if span.prompt is None:
        return ""
    path = reverse("workbench:prompt", kwargs={"project_slug": project_slug, "slug": span.prompt.slug})
    return f"{path}?span={span.pk}"


def shown(value: Any) -> str:
    """A value as text: texts as they are, all else as JSON on several lines."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def messages_shown(messages: Any) -> list[dict[str, Any]]:
    """Messages as the component of messages takes them, whatever an application sent."""
    if not isinstance(messages, list):
        return []
    return [
        {
            "role": str(message.get("role", "")),
            "name": str(message.get("name") or ""),
            "tool_call_id": str(message.get("tool_call_id") or ""),
            "content": shown(message["content"]) if message.get("content") else "",
            "tool_calls": [_call(call) for call in message.get("tool_calls") or () if isinstance(call, dict)],
        }
        for message in messages
        if isinstance(message, dict)
    ]


def calls_shown(calls: Any) -> list[dict[str, str]]:
    """The calls that an answer asks for: {"name", "arguments"}."""
    asked = calls if isinstance(calls, list) else []
    return [_call(call)["function"] for call in asked if isinstance(call, dict)]


def _call(call: dict[str, Any]) -> dict[str, dict[str, str]]:
    of = call.get("function")
    of = of if isinstance(of, dict) else call
    return {"function": {"name": str(of.get("name", "")), "arguments": shown(of.get("arguments", ""))}}


def seconds_of(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second
