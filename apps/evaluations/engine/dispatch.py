"""Which task does what for a run, and on which queue it waits."""

from __future__ import annotations

from apps.core.dispatch import Priority, enqueue
from apps.evaluations.engine.stages import Stage
from apps.evaluations.evaluators.self_consistency import SELF_CONSISTENCY, needs_embeddings
from apps.evaluations.models import ComparisonFigures, EvalRun

#: A task belongs to one queue, so the same work has one name for each queue it may wait on.
DRIVE_TASKS = {"llm": "worker.evaluations.drive_run", "local": "worker.evaluations.drive_local_run"}
ASSIST_TASK = "worker.evaluations.assist_run"
SCORE_TASKS = {
    Stage.INLINE: "worker.evaluations.score_run",
    Stage.MEMORY: "worker.evaluations.score_local_run",
    Stage.CALLS: "worker.evaluations.score_run_by_calls",
    Stage.LOCAL_CALLS: "worker.evaluations.score_run_by_local_calls",
}
FINALIZE_TASK = "worker.evaluations.finalize_run"
FINALIZE_LOCAL_TASK = "worker.evaluations.finalize_local_run"
COMPARE_TASK = "worker.evaluations.compute_comparison"


def enqueue_drive(run: EvalRun, *, countdown: float | None = None) -> None:
    """The next slice of answering: the turn after the one that the run is at."""
    enqueue(
        DRIVE_TASKS[run.queue],
        queue=run.queue,
        priority=Priority.RUN,
        countdown=countdown,
        run_id=str(run.pk),
        turn=run.driver_token,
    )


def enqueue_assist(run: EvalRun, *, tries: int = 0) -> None:
    """Ask another worker process to answer items of the run too, while this turn lasts."""
    enqueue(
        ASSIST_TASK,
        queue=run.queue,
        priority=Priority.RUN,
        run_id=str(run.pk),
        turn=run.driver_token,
        tries=tries,
    )


def enqueue_scoring(run: EvalRun, stage: Stage, *, countdown: float | None = None) -> None:
    """The next slice of scoring what is answered and waits for `stage`."""
    enqueue(
        SCORE_TASKS[stage],
        queue=stage.queue,
        priority=Priority.RUN,
        countdown=countdown,
        run_id=str(run.pk),
        turn=run.driver_token,
        stage=int(stage),
    )


def enqueue_finalize(run: EvalRun) -> None:
    """Where an evaluator computes with the embedded model at the end, by a worker that holds it."""
    versions = run.evaluator_versions.filter(evaluator__kind=SELF_CONSISTENCY.name)
    local = any(needs_embeddings(config) for config in versions.values_list("config", flat=True))
    if local:
        enqueue(FINALIZE_LOCAL_TASK, queue="local", priority=Priority.RUN, run_id=str(run.pk))
    else:
        enqueue(FINALIZE_TASK, queue="default", run_id=str(run.pk))


def enqueue_figures(figures: ComparisonFigures) -> None:
    enqueue(
        COMPARE_TASK,
        queue="default",
        comparison_id=str(figures.comparison_id),
        baseline_id=str(figures.baseline_id),
        part=figures.part,
        column=figures.column,
    )
