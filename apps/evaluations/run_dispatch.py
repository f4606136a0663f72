"""Which task does what for a run, and on which queue it waits."""

from __future__ import annotations

from apps.core.dispatch import enqueue
from apps.evaluations.evaluators import kind
from apps.evaluations.models import Comparison, EvalRun

#: A task belongs to one queue, so the same work has one name for each queue it may wait on.
DRIVE_TASKS = {"llm": "worker.evaluations.drive_run", "local": "worker.evaluations.drive_local_run"}
SCORE_TASKS = {"default": "worker.evaluations.score_run", "local": "worker.evaluations.score_local_run"}
FINALIZE_TASK = "worker.evaluations.finalize_run"
COMPARE_TASK = "worker.evaluations.compute_comparison"


def enqueue_drive(run: EvalRun, *, countdown: float | None = None) -> None:
    """The next slice of answering: the turn after the one that the run is at."""
    enqueue(
        DRIVE_TASKS[run.queue],
        queue=run.queue,
        countdown=countdown,
        run_id=str(run.pk),
        turn=run.driver_token,
    )


def enqueue_scoring(run: EvalRun) -> None:
    """The next slice of scoring what is answered but not yet scored."""
    queue = scoring_queue(run)
    enqueue(SCORE_TASKS[queue], queue=queue, run_id=str(run.pk), turn=run.driver_token)


def enqueue_finalize(run: EvalRun) -> None:
    enqueue(FINALIZE_TASK, queue="default", run_id=str(run.pk))


def enqueue_comparison(comparison: Comparison) -> None:
    enqueue(COMPARE_TASK, queue="default", comparison_id=str(comparison.pk))


def scoring_queue(run: EvalRun) -> str:
    """`local` where an evaluator needs the model in memory, else `default`."""
    kinds = run.evaluator_versions.values_list("evaluator__kind", flat=True)
    return "local" if any(kind(name).needs_model_in_memory for name in kinds) else "default"
