"""Scores of spans: what end users and reviewers say of an answer. One for each metric, source and rater."""

from __future__ import annotations

from uuid import UUID

from apps.traces.models import SpanScore

#: Sources: an end user's feedback, and a reviewer's annotation.
END_USER, HUMAN = "end_user", "human"
#: The metric of a thumb: 1 up, 0 down.
THUMB = "thumb"


def span_score_set(
    *,
    project_id: UUID,
    span_id: UUID,
    metric: str,
    source: str,
    rater: str,
    value: float | None,
    label: str = "",
    comment: str = "",
) -> None:
    """Keep a score in place of the rater's earlier one. In the caller's transaction."""
    SpanScore.objects.bulk_create(
        [
            SpanScore(
                project_id=project_id,
                span_id=span_id,
                metric=metric,
                source=source,
                rater=rater,
                value=value,
                label=label[:200],
                comment=comment,
            )
        ],
        update_conflicts=True,
        unique_fields=["span", "metric", "source", "rater"],
        update_fields=["value", "label", "comment"],
    )


def span_score_remove(*, span_id: UUID, metric: str, source: str, rater: str) -> None:
    """Take the rater's score away; no-op where there is none."""
    SpanScore.objects.filter(span_id=span_id, metric=metric, source=source, rater=rater).delete()
