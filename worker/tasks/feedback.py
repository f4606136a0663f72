"""Feedback's own work."""

from __future__ import annotations

from uuid import UUID

from apps.feedback.agreement import making as agreement
from apps.feedback.judging import checking as judging
from apps.feedback.looking import similar
from apps.feedback.pairs import services as pairs
from apps.feedback.queues import adding, leases
from apps.feedback.thumbs import upkeep
from worker.registry import sweeper, task


@task(similar.EMBED_TASK, queue="local")
def embed_spans() -> None:
    similar.embeddings_make()


sweeper("feedback.embeddings")(similar.embeddings_sweep)


@task(agreement.TASK, queue="default")
def make_agreement(queue_id: str) -> None:
    agreement.queue_figures_make(UUID(queue_id))


@task(judging.TASK, queue="default")
def check_judge(version_id: str, metric: str, asked: str) -> None:
    judging.judge_figures_make(UUID(version_id), metric, asked)


@task(pairs.RUN_TASK, queue="default")
def import_pairs(import_id: str) -> None:
    pairs.pair_import_run(import_id=UUID(import_id))


sweeper("feedback.thumbs")(upkeep.feedback_upkeep)


sweeper("feedback.pair_imports")(pairs.pair_imports_sweep)


@task(adding.ADD_TASK, queue="default")
def add_items(addition_id: str) -> None:
    adding.addition_run(UUID(addition_id))


sweeper("feedback.leases")(leases.leases_sweep)
sweeper("feedback.additions")(adding.additions_sweep)
