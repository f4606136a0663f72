"""Failures that are alike: what disliked answers were asked, as vectors, and the nearest of a prompt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from pgvector.django import CosineDistance

from apps.core.dispatch import Priority, enqueue
from apps.feedback.looking.selectors import spans_disliked
from apps.feedback.models import Feedback, SpanEmbedding
from apps.traces.models import Span

log = logging.getLogger(__name__)

EMBED_TASK = "worker.feedback.embed_spans"
#: So few that a person's call to the embedded model does not wait long behind them.
BATCH = 32
MOST_SIMILAR = 12
_ASKED, _ASKED_S = "feedback-embedding-asked", 60
_MOST_CHARS = 8_000


@dataclass(frozen=True, slots=True)
class Similar:
    """A failure like another one: its newest vote, and the cosine of both questions (1: the same)."""

    vote: Feedback
    span: Span
    similarity: float


def asked_text(span: Span) -> str:
    """What the answer was asked: the values of the variables, else the last message of the user."""
    if isinstance(span.inputs, dict) and span.inputs:
        texts = [value if isinstance(value, str) else str(value) for value in span.inputs.values()]
        return "\n".join(texts)[:_MOST_CHARS]
    asked = [message for message in span.messages if message.get("role") == "user"]
    return text_of(asked[-1].get("content") if asked else "")[:_MOST_CHARS]


def text_of(content: Any) -> str:
    """A message's content as text; of parts, the texts among them."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def embeddings_make() -> int:
    """Make the embeddings of a batch of spans that have none; how many. For a worker: loads torch.

    Safe to repeat and to do twice at once: each batch is locked, and a locked one is passed over.
    """
    from apps.providers.embeddings import embed

    cache.delete(_ASKED)
    with transaction.atomic():
        waiting = list(
            SpanEmbedding.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(vector=None)
            .select_related("span")
            .order_by("span")[:BATCH]
        )
        vectors = embed([asked_text(row.span) for row in waiting])
        for row, vector in zip(waiting, vectors, strict=True):
            row.vector = vector
        SpanEmbedding.objects.bulk_update(waiting, ["vector"])
    if len(waiting) == BATCH:
        enqueue(EMBED_TASK, queue="local", priority=Priority.RUN)
    return len(waiting)


def embeddings_sweep() -> None:
    """Ask a worker for the embeddings that are missing, unless one was asked a moment ago."""
    if not SpanEmbedding.objects.filter(vector=None).exists():
        return
    try:
        first = cache.add(_ASKED, 1, _ASKED_S)
    except Exception as error:  # without the cache each sweep asks
        log.warning("Whether embeddings were asked for is not known: %s", error)
        first = True
    if first:
        enqueue(EMBED_TASK, queue="local", priority=Priority.RUN)


def similar_failures(*, given: Feedback, most: int = MOST_SIMILAR) -> Sequence[Similar] | None:
    """The most similar disliked or corrected answers of the same prompt, best first; None while the
    embedding of this one is not made yet. The index of vectors is asked, so a large table costs no more.
    """
    own = SpanEmbedding.objects.filter(span=given.span_id, vector__isnull=False).first()
    if own is None:
        return None
    near = (
        SpanEmbedding.objects.filter(project=given.project_id, prompt=given.prompt_id, vector__isnull=False)
        .exclude(pk=own.pk)
        .annotate(distance=CosineDistance("vector", own.vector))
        .select_related("span")
        .defer("vector", "span__parameters", "span__tool_calls")
        .order_by("distance")
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL hnsw.iterative_scan = strict_order; SET LOCAL hnsw.ef_search = 80")
        rows = list(near[: most * 2])  # some may have been withdrawn since
    votes = spans_disliked(project=given.project, span_ids=[row.span_id for row in rows])
    found = [
        Similar(votes[row.span_id], row.span, 1 - float(row.distance)) for row in rows if row.span_id in votes
    ]
    return found[:most]
