"""The figures of scores: shares by value, the same bins for both runs, and a size that does not grow."""

from __future__ import annotations

import json
import math

import plotly.graph_objects as go
import pytest

from apps.evaluations.charts import MAX_BINS, Series, distribution
from apps.evaluations.evaluators import MetricSpec

MATCH = MetricSpec("match", "Match", "higher", "binary", 0.0, 1.0)
CHRF = MetricSpec("chrf", "chrF", "higher", "continuous", 0.0, 100.0)
STARS = MetricSpec("stars", "Stars", "higher", "ordinal", 1.0, 5.0)


def test_binary_scores_are_two_bars_of_shares():
    figure = distribution(MATCH, [Series("A", [1, 1, 1, 0]), Series("B", [1, 1])])
    assert [(trace["x"], trace["y"]) for trace in figure["data"]] == [
        (["0", "1"], [0.25, 0.75]),
        (["0", "1"], [0.0, 1.0]),
    ]
    assert figure["layout"]["showlegend"]


def test_ordinal_scores_have_a_bar_each():
    assert distribution(STARS, [Series("A", [1, 5, 5, 3])])["data"][0]["x"] == ["1", "3", "5"]


def test_two_runs_share_their_bins():
    figure = distribution(CHRF, [Series("A", [0, 10, 20]), Series("B", [60, 100])])
    assert figure["data"][0]["x"] == figure["data"][1]["x"]
    assert sum(figure["data"][0]["y"]) == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [MATCH, CHRF, STARS])
@pytest.mark.parametrize(
    "values", [[], [0.5], [1, 1, 1], [math.nan, 1, math.inf], [0, 1e12, 1e-12], list(range(50_000))]
)
def test_any_scores_give_a_small_figure_that_plotly_accepts(metric, values):
    figure = distribution(metric, [Series("A", values)])
    assert len(json.dumps(figure, allow_nan=False)) < 20_000
    assert all(len(trace["x"]) <= MAX_BINS for trace in figure["data"])
    go.Figure(figure)
