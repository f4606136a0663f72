"""Charts of a training: thinned without losing a spike, on one axis, in place from the start."""

from __future__ import annotations

import json

import pytest

from apps.training.watching.charts import charts_of
from apps.training.watching.curves import MOST_POINTS, Curve, curves_of, smoothed, thinned
from tests.factories.training import values_at


def charts(method: str, steps: int = 40, of: int = 120, **more):
    curves = curves_of((step, values_at(method, step, of)) for step in range(1, steps + 1))
    return charts_of(curves, [], method=method, steps=of, revision="job", **more)


def test_each_method_has_its_charts():
    small = ["grad_norm", "learning_rate", "speed", "memory"]
    assert [chart.name for chart in charts("sft")] == ["loss", "accuracy", *small]
    assert [chart.name for chart in charts("dpo")] == ["loss", "rewards", "accuracy", *small]
    assert [chart.name for chart in charts("kto")] == ["loss", "rewards", *small]


def test_charts_are_there_before_their_figures_and_do_not_move_when_they_come():
    empty = charts_of({}, [], method="dpo", steps=120, revision="job")
    later = charts("dpo")
    assert [chart.name for chart in empty] == [chart.name for chart in later]
    for before, after in zip(empty, later, strict=True):
        assert before.figure["layout"]["annotations"]
        assert not after.figure["layout"]["annotations"]
        for fixed in ("margin", "uirevision"):
            assert before.figure["layout"][fixed] == after.figure["layout"][fixed]
        assert after.figure["layout"]["xaxis"]["range"] == [0, 120]
    assert "no figures yet" in empty[0].label
    assert "training from" in later[0].label


def test_a_provider_that_tells_less_has_fewer_charts():
    curves = {"loss": Curve([1, 2], [1.0, 0.5])}
    found = charts_of(curves, [], method="sft", steps=2, revision="job", only_known=True)
    assert [chart.name for chart in found] == ["loss"]


def test_the_average_does_not_move_what_is_drawn():
    values = [float(place % 7) for place in range(50)]
    assert smoothed(values, 5)[:30] == smoothed(values[:30], 5)
    assert smoothed([3.0] * 10, 5) == pytest.approx([3.0] * 10)
    assert smoothed([1.0, 3.0], 1) == [1.0, 3.0]


def test_a_long_curve_is_thinned_and_keeps_its_spike():
    values = [1.0] * 20_000
    values[12_345] = 9.0
    found = thinned(Curve(list(range(20_000)), values))
    assert len(found) <= MOST_POINTS + 4
    assert 12_345 in found.steps
    assert found.steps == sorted(found.steps)
    assert found.steps[0] == 0
    assert found.steps[-1] == 19_999


def test_a_resumed_training_shows_where():
    (mark,) = charts("sft", resumed=[20])[0].figure["layout"]["shapes"]
    assert mark["x0"] == mark["x1"] == 20


def test_a_figure_is_json_of_a_page():
    text = json.dumps(charts("dpo", steps=120)[0].figure, allow_nan=False)
    assert len(text) < 20_000
