"""Many answers of an application to be judged, written in bulk."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from apps.core.models import Project
from apps.traces.models import Span, Trace


def make_answers(project: Project, count: int) -> list[UUID]:
    """The ids of `count` new spans."""
    trace = Trace.objects.create(project=project, source="application")
    now = timezone.now()
    spans = Span.objects.bulk_create(
        (
            Span(
                project=project,
                trace=trace,
                model_name="bench/model",
                messages=[{"role": "user", "content": f"What is {number} + {number}?"}],
                output=str(2 * number),
                started_at=now,
            )
            for number in range(count)
        ),
        batch_size=1000,
    )
    return [span.pk for span in spans]
