"""What a column of a trial came to: nothing that is missing counts as zero."""

from __future__ import annotations

from decimal import Decimal

from apps.workbench.trials.figures import column_figures


def cell(status="completed", value: float | None = 1.0, cost: Decimal | None = Decimal("0.5"), ms=100.0):
    scores = {"exact": value} if status == "completed" else {}
    return {"status": status, "duration_ms": ms, "cost_usd": cost, "judge_cost_usd": cost, "scores": scores}


def test_means_are_of_what_has_a_value():
    figures = column_figures([cell(), cell(value=0.0), cell(value=None), cell("failed")], ["exact"])
    assert figures["metrics"]["exact"] == {"mean": 0.5, "n": 2, "missing": 1}
    assert (figures["completed"], figures["failed"], figures["cells"]) == (3, 1, 4)
    assert (figures["mean_ms"], figures["cost_usd"]) == (100.0, "1.5")


def test_without_a_value_there_is_no_mean():
    assert column_figures([cell("pending")], ["exact"])["metrics"]["exact"]["mean"] is None
    assert column_figures([], ["exact"])["mean_ms"] is None


def test_one_unknown_price_makes_the_sum_unknown():
    figures = column_figures([cell(), cell(cost=None)], [])
    assert (figures["cost_usd"], figures["judge_cost_usd"]) == (None, None)


def test_judges_of_answers_that_failed_later_count_too():
    assert column_figures([cell(), cell("failed")], [])["judge_cost_usd"] == "1.0"


def test_what_was_not_scored_yet_is_neither_a_value_nor_missing():
    waiting = {**cell(), "scores": {}}
    assert column_figures([waiting], ["exact"])["metrics"]["exact"] == {"mean": None, "n": 0, "missing": 0}
