"""Slices, distributions and preferences of a comparison."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.models import Project
from apps.evaluations.comparing import slices
from apps.evaluations.models import EvalRun, ItemScore, PairVote
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)
from tests.unit.evaluations.test_comparison_figures import make, runs_with, votes_for

pytestmark = pytest.mark.django_db


def sliced(project: Project, first: EvalRun, second: EvalRun, column: str = "level") -> dict[str, Any]:
    comparison = make_comparison(project, first, second, compute=False)
    return dict(make(comparison, first, "slices", column))


def by_value(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (entry,) = figures["candidates"]
    metric = entry["metrics"][0]
    return {group["value"]: group for group in metric["groups"]}


class TestSlices:
    def test_a_slice_that_got_worse_stands_out_though_the_whole_got_better(self, project: Project) -> None:
        """The factory's levels are 0, 1, 2 in turn: level 2 falls from right to wrong, the others rise."""
        base = [1.0 if place % 3 == 2 else 0.0 for place in range(90)]
        first, second = runs_with(project, base, [1.0 - value for value in base])
        figures = sliced(project, first, second)
        assert figures["column"] == "level"
        assert [(group["value"], group["n"]) for group in figures["groups"]] == [
            ("0", 30),
            ("1", 30),
            ("2", 30),
        ]
        groups = by_value(figures)
        assert {value: group["worse"] for value, group in groups.items()} == {
            "0": False,
            "1": False,
            "2": True,
        }
        worse = groups["2"]
        assert (worse["difference"], worse["wins"], worse["losses"], worse["test"]) == (
            -1,
            0,
            30,
            "mcnemar_midp",
        )
        assert worse["ci_low"] < worse["ci_high"] < 0

    def test_slices_are_corrected_for_their_number(self, project: Project) -> None:
        base = [0.0] * 90
        candidate = [1.0 if place % 3 == 0 and place < 21 else 0.0 for place in range(90)]
        groups = by_value(sliced(project, *runs_with(project, base, candidate)))
        assert groups["0"]["p_value"] == pytest.approx(2**-7)
        assert groups["0"]["p_adjusted"] == pytest.approx(3 * 2**-7)

    def test_a_slice_that_is_worse_by_chance_alone_does_not_stand_out(self, project: Project) -> None:
        """Five losses without a win: p is under 0.05 by itself, but not as one slice of three."""
        version = make_dataset_version(project, 70)
        metric = make_evaluator_version(project)
        base = [1.0 if place % 3 == 0 and place < 15 else 0.0 for place in range(70)]
        first, second = (
            make_run(project, version, evaluators=[metric], scores={metric.evaluator.slug: values})
            for values in (base, [0.0] * 70)
        )
        group = by_value(sliced(project, first, second))["0"]
        assert group["p_value"] < 0.05 < group["p_adjusted"]
        assert not group["worse"]

    def test_where_lower_is_better_a_rise_is_worse(self, project: Project) -> None:
        version = make_dataset_version(project, 60)
        metric = make_evaluator_version(project, "perplexity")
        name = f"{metric.evaluator.slug}.perplexity"
        values = [[base + place % 5 for place in range(60)] for base in (3.0, 9.0)]
        first, second = (make_run(project, version, evaluators=[metric], scores={name: of}) for of in values)
        ItemScore.objects.update(source="evaluator")
        groups = by_value(sliced(project, first, second))
        assert len(groups) == 3
        assert all(group["worse"] for group in groups.values())

    def test_the_split_is_a_column_too(self, project: Project) -> None:
        version = make_dataset_version(project, 20, splits=["dev", "test"])
        metric = make_evaluator_version(project)
        first, second = (
            make_run(
                project, version, evaluators=[metric], scores={metric.evaluator.slug: [float(value)] * 20}
            )
            for value in (0, 1)
        )
        groups = by_value(sliced(project, first, second, "@split"))
        assert {value: group["n"] for value, group in groups.items()} == {"dev": 10, "test": 10}

    def test_rare_values_are_one_slice_and_tags_count_in_several(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slices, "MOST_GROUPS", 2)
        texts = [("a", "b"), ("a",), ("b",), ("c",), ("d",), (), ("a",)]
        groups = slices._groups(texts, len(texts))
        assert {value: mask.nonzero()[0].tolist() for value, mask in groups.items()} == {
            "a": [0, 1, 6],
            "b": [0, 2],
            slices.REST: [3, 4],
            slices.NONE: [5],
        }


class TestDistributions:
    def test_few_values_are_counted_one_by_one(self, project: Project) -> None:
        first, second = runs_with(project, [1.0, 0.0, 1.0, 1.0], [None, 0.0, 0.0, 1.0])
        figures = make(make_comparison(project, first, second, compute=False), first, "distributions")
        exact = figures["metrics"][0]
        assert (exact["edges"], exact["values"]) == (None, [0.0, 1.0])
        assert [run["counts"] for run in exact["runs"]] == [[1, 3], [2, 1]]
        change = next(one for one in figures["changes"] if one["name"] == exact["name"])
        assert sum(change["counts"]) == 3
        middle = len(change["counts"]) // 2
        assert (change["counts"][0], change["counts"][middle]) == (1, 2)
        assert [one["name"] for one in figures["metrics"][1:]] == ["latency_ms", "cost_usd"]

    def test_many_values_lie_in_bins_that_the_runs_share(self, project: Project) -> None:
        version = make_dataset_version(project, 200)
        spread = [float(place) for place in range(200)]
        first = make_run(project, version, scores={"words": spread})
        second = make_run(project, version, scores={"words": [value + 10 for value in spread]})
        figures = make(make_comparison(project, first, second, compute=False), first, "distributions")
        words = figures["metrics"][0]
        assert (words["values"], words["edges"][0], words["edges"][-1]) == (None, 0, 209)
        assert [sum(run["counts"]) for run in words["runs"]] == [200, 200]

    def test_one_value_far_away_does_not_press_the_rest_into_one_bin(self, project: Project) -> None:
        version = make_dataset_version(project, 200)
        values = [float(place) for place in range(199)] + [1e6]
        first, second = (make_run(project, version, scores={"words": values}) for _ in range(2))
        figures = make(make_comparison(project, first, second, compute=False), first, "distributions")
        words = figures["metrics"][0]
        assert words["edges"][-1] == 1e6
        assert max(words["runs"][0]["counts"]) < 30


class TestPreferences:
    def test_win_rate_strength_and_place(self, project: Project) -> None:
        """The second is chosen 24 times of 32, and whichever is shown first wins 20 of the 30 that chose."""
        first, second, third = runs_with(project, *[[1.0] * 32] * 3)
        votes_for(second, first, ["item"] * 24 + ["other"] * 6 + ["tie"] * 2)
        shown = ["item"] * 17 + ["other"] * 7 + ["other"] * 3 + ["item"] * 3 + ["item"] * 2
        for vote, side in zip(PairVote.objects.order_by("id"), shown, strict=True):
            PairVote.objects.filter(pk=vote.pk).update(shown_first=side)
        figures = make(make_comparison(project, first, second, third, compute=False), first, "preferences")
        (pair,) = figures["pairs"]
        assert (pair["candidate"], pair["source"], pair["votes"], pair["raters"], pair["examples"]) == (
            str(second.pk),
            "human",
            32,
            1,
            32,
        )
        assert (pair["wins"], pair["ties"], pair["losses"]) == (24, 2, 6)
        assert pair["win_rate"] == pytest.approx(25 / 32)
        assert 0.5 < pair["ci_low"] < 25 / 32 < pair["ci_high"] < 1
        assert pair["first_shown_rate"] == pytest.approx(20 / 30)
        assert pair["first_low"] < 20 / 30 < pair["first_high"]
        assert pair["flipped"] is None
        strongest, weakest = figures["systems"]["human"]
        assert (strongest["run"], weakest["run"]) == (str(second.pk), str(first.pk))
        assert strongest["low"] < strongest["strength"] < strongest["high"]
        assert strongest["low"] > 0.5 > weakest["high"]
        assert figures["systems"]["judge"] == []

    def test_several_people_on_one_example_do_not_make_it_several(self, project: Project) -> None:
        first, second = runs_with(project, *[[1.0] * 10] * 2)
        for rater in range(6):
            votes_for(second, first, ["item"] * 7 + ["other"] * 3, rater=f"user:{rater}")
        figures = make(make_comparison(project, first, second, compute=False), first, "preferences")
        (pair,) = figures["pairs"]
        assert (pair["votes"], pair["raters"], pair["examples"], pair["wins"]) == (60, 6, 10, 7)
        assert pair["p_value"] == pytest.approx(0.34375)
        assert pair["ci_low"] < 0.5

    def test_a_judge_that_changes_its_mind_with_the_order_is_told_of(self, project: Project) -> None:
        first, second = runs_with(project, *[[1.0] * 10] * 2)
        judge = {"source": "judge", "rater": "judge:pairs", "shown_first": ""}
        votes_for(second, first, ["item"] * 6 + ["tie"] * 4, **judge)
        flipped = PairVote.objects.filter(winner="tie").values("pk")
        PairVote.objects.filter(pk__in=flipped).update(consistent=False)
        figures = make(make_comparison(project, first, second, compute=False), first, "preferences")
        (pair,) = figures["pairs"]
        assert (pair["source"], pair["flipped"], pair["first_shown_rate"]) == ("judge", 0.4, None)
        assert figures["systems"]["human"] == []

    def test_without_votes_there_is_nothing_to_say(self, project: Project) -> None:
        first, second = runs_with(project, *[[1.0] * 4] * 2)
        figures = make(make_comparison(project, first, second, compute=False), first, "preferences")
        assert figures == {"systems": {"human": [], "judge": []}, "pairs": []}
