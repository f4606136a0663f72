"""Feedback's own work."""

from __future__ import annotations

from apps.feedback.looking import similar
from worker.registry import sweeper, task


@task(similar.EMBED_TASK, queue="local")
def embed_spans() -> None:
    similar.embeddings_make()


sweeper("feedback.embeddings")(similar.embeddings_sweep)
