"""The top of a comparison's page: which state it shows, the verdict, the cards."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from apps.evaluations.comparisons.cards import (
    measure_cards,
    metric_cards,
    metric_chosen,
    metrics_shown,
    primary_metric,
    verdict_on,
)
from apps.evaluations.comparisons.decision_record import decisions_of
from apps.evaluations.comparisons.figures import FiguresState, figures_state
from apps.evaluations.comparisons.methods import tests_corrected
from apps.evaluations.comparisons.panels import primary_planned
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.comparisons.state import ComparisonState


def metric_figures(state: ComparisonState) -> FiguresState:
    """Part "metrics" against the chosen baseline, its examples grouped as the address says."""
    return figures_state(state.comparison, state.baseline, "metrics", state["cluster"])


def page_context(state: ComparisonState, figures: FiguresState) -> dict[str, Any]:
    """What every fragment of the page needs."""
    comparison = state.comparison
    metrics = metrics_shown(state, figures.figures)
    address = [comparison.project.slug, comparison.number]
    return {
        "comparison": comparison,
        "state": state,
        "baseline": state.baseline,
        "candidate": state.candidate,
        "runs": runs_of(comparison),
        "candidates": state.candidates,
        "several": len(state.candidates) > 1,
        "query": state.query(),
        "kept_texts": state.texts,
        "page_url": reverse("evaluations:comparison-detail", args=address),
        "panel_url": reverse("evaluations:comparison-panel", args=address),
        "verdict": verdict_on(state, figures.figures, state.candidate, metrics),
        "cards": metric_cards(state, metrics),
        "measures": measure_cards(figures.figures, state.candidate),
        "primary_metric": primary_metric(metrics),
        "chosen_metric": metric_chosen(state, metrics),
        "planned": primary_planned(state),
        "decisions": decisions_of(comparison),
        "tests": tests_corrected(figures.figures),
        "computed": figures.figures is not None,
        "error": figures.error,
        "failed": figures.failed,
        "unfinished": figures.unfinished,
        "awaited": [run for run in (state.baseline, state.candidate) if run in figures.unfinished],
        "still_running": [run for run in figures.unfinished if run not in (state.baseline, state.candidate)],
        "figures_settled": figures.settled,
        "stale": figures.stale,
        "waiting": figures.waiting,
    }
