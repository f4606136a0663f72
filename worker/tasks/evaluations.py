"""Runs: driving, scoring, finalising and comparing them; and the sweep that finds what was dropped."""

from __future__ import annotations

from uuid import UUID

from apps.evaluations import rater_scores, run_news
from apps.evaluations.comparing import making
from apps.evaluations.comparisons import row_warming as comparison_row_warming
from apps.evaluations.engine import driving, finalizing, scoring_slices, sweeping
from apps.evaluations.models import ComparisonFigures
from worker.registry import sweeper, task


@task("worker.evaluations.drive_run", queue="llm")
def drive_run(run_id: str, turn: int) -> None:
    driving.drive_run(UUID(run_id), turn)


@task("worker.evaluations.drive_local_run", queue="local")
def drive_local_run(run_id: str, turn: int) -> None:
    driving.drive_local_run(UUID(run_id), turn)


@task("worker.evaluations.assist_run", queue="llm")
def assist_run(run_id: str, turn: int, tries: int) -> None:
    driving.assist_run(UUID(run_id), turn, tries)


@task("worker.evaluations.score_run", queue="default")
def score_run(run_id: str, turn: int, stage: int) -> None:
    scoring_slices.score_run(UUID(run_id), turn, stage)


@task("worker.evaluations.score_local_run", queue="local")
def score_local_run(run_id: str, turn: int, stage: int) -> None:
    scoring_slices.score_run(UUID(run_id), turn, stage)


@task("worker.evaluations.score_run_by_calls", queue="llm")
def score_run_by_calls(run_id: str, turn: int, stage: int) -> None:
    scoring_slices.score_run(UUID(run_id), turn, stage)


@task("worker.evaluations.score_run_by_local_calls", queue="local")
def score_run_by_local_calls(run_id: str, turn: int, stage: int) -> None:
    scoring_slices.score_run(UUID(run_id), turn, stage)


@task("worker.evaluations.finalize_run", queue="default")
def finalize_run(run_id: str) -> None:
    finalizing.finalize_run(UUID(run_id))


@task("worker.evaluations.finalize_local_run", queue="local")
def finalize_local_run(run_id: str) -> None:
    finalizing.finalize_run(UUID(run_id))


@task("worker.evaluations.compute_comparison", queue="default")
def compute_comparison(comparison_id: str, baseline_id: str, part: str, column: str) -> None:
    making.figures_make(UUID(comparison_id), UUID(baseline_id), part, column)
    if part == ComparisonFigures.Part.METRICS and not column:
        comparison_row_warming.first_pages_keep(UUID(comparison_id), UUID(baseline_id))


@task(rater_scores.SUM_TASK, queue="default")
def sum_ratings(run_id: str) -> None:
    rater_scores.ratings_sum(UUID(run_id))


sweeper("evaluations.ratings")(rater_scores.ratings_sweep)


@task(run_news.TELL_TASK, queue="default")
def tell_of_run(news_id: int) -> None:
    run_news.run_news_tell(news_id)


sweeper("evaluations.run_news")(run_news.run_news_sweep)


@sweeper("evaluations.runs")
def sweep_runs() -> None:
    sweeping.sweep_runs()
