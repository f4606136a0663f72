"""What a worker keeps of a comparison: every metric with its uncertainty, and what is missing and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from apps.core.models import Project
from apps.datasets.models import Example
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.comparisons.figures import (
    FiguresState,
    entry_for,
    figures_of_list,
    figures_state,
    metrics_against,
)
from apps.evaluations.comparisons.selectors import comparison_get
from apps.evaluations.engine import sweeping
from apps.evaluations.engine.finalizing import finalize_run
from apps.evaluations.models import Comparison, EvalItem, EvalRun, ItemScore, PairVote
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)
from tests.unit.evaluations.test_finalizing import evaluator

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What workers were asked for, instead of asking them."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        "apps.evaluations.comparisons.figures.enqueue_figures",
        lambda row: asked.append((row.baseline_id, row.part, row.column)),
    )
    return asked


def make(comparison: Comparison, baseline: EvalRun, part: str = "metrics", column: str = "") -> Any:
    figures_make(comparison.pk, baseline.pk, part, column)
    kept = comparison.figures.get(baseline=baseline, part=part, column=column)
    assert kept.error == ""
    return kept.figures


def state_of(comparison: Comparison, column: str = "", baseline: EvalRun | None = None) -> FiguresState:
    fresh = comparison_get(project=comparison.project, id=comparison.pk)
    return figures_state(fresh, baseline or fresh.baseline, "metrics", column)


def runs_with(project: Project, *columns: list[float | None], name: str = "exact_match") -> list[EvalRun]:
    """Runs over one dataset, each with the given scores by one evaluator; None: the call timed out."""
    version = make_dataset_version(project, len(columns[0]))
    metric = make_evaluator_version(project, name)
    return [
        make_run(
            project,
            version,
            evaluators=[metric],
            scores={metric.evaluator.slug: values},
            outputs=[None if value is None else "text" for value in values],
        )
        for values in columns
    ]


def votes_for(
    item_run: EvalRun, other: EvalRun, winners: list[str], source: str = "human", **more: Any
) -> None:
    others = {item.example_id: item for item in other.items.all()}
    items = item_run.items.order_by("position")
    PairVote.objects.bulk_create(
        PairVote(
            item=item,
            other_item=others[item.example_id],
            winner=winner,
            source=source,
            rater=more.get("rater", "user:1"),
            shown_first=more.get("shown_first", "item"),
            consistent=more.get("consistent", True),
        )
        for item, winner in zip(items, winners, strict=False)
    )


class TestOneMetric:
    def test_it_says_how_small_a_difference_could_have_been_seen(self, project: Project) -> None:
        first, second = runs_with(project, [1.0, 0.0] * 100, [1.0, 1.0, 0.0, 1.0] * 50)
        (metric,) = metrics_against(make(make_comparison(project, first, second), first), second)
        differences = np.array([0, 1, -1, 1] * 50)
        assert metric["spread"] == pytest.approx(differences.std(ddof=1))
        assert metric["detectable"] == pytest.approx(2.801585 * differences.std(ddof=1) / 200**0.5)
        assert (metric["level"], metric["test"], metric["source"]) == ("item", "mcnemar_midp", "evaluator")
        assert (metric["sensitivity"], metric["missing"]) == (None, 0)

    def test_a_missing_score_is_counted_with_its_reason_and_in_the_worst_case(self, project: Project) -> None:
        base = [0.0] * 30 + [1.0] * 70
        first, second = runs_with(project, base, [None] * 20 + [1.0] * 80)
        item = second.items.get(position=100)
        ItemScore.objects.filter(item=item).update(value=None, detail="No number in the output: “cat”.")
        (metric,) = metrics_against(make(make_comparison(project, first, second), first), second)
        assert (metric["n"], metric["missing"], metric["missing_in_candidate"]) == (79, 21, 21)
        assert metric["lacking"] == {
            "baseline": [],
            "candidate": [
                {"reason": "No answer in time", "count": 20},
                {"reason": "No number in the output", "count": 1},
            ],
        }
        assert metric["difference"] == pytest.approx(10 / 79)
        worst = metric["sensitivity"]
        assert worst["difference"] == pytest.approx((10 - 1) / 100)
        assert worst["ci_low"] < worst["difference"] < worst["ci_high"]
        assert "21 examples" in worst["text"]
        assert "most extreme" not in worst["text"]

    def test_where_a_metric_has_no_bounds_the_worst_value_seen_stands_for_it(self, project: Project) -> None:
        version = make_dataset_version(project, 12)
        first = make_run(project, version, scores={"words": [5.0 + place for place in range(12)]})
        second = make_run(
            project,
            version,
            outputs=[None, *["text"] * 11],
            scores={"words": [9.0 + place for place in range(12)]},
        )
        (metric,) = metrics_against(make(make_comparison(project, first, second), first), second)
        filled = [5.0 - 5.0, *[4.0] * 11]
        assert metric["sensitivity"]["difference"] == pytest.approx(sum(filled) / 12)
        assert "most extreme values seen" in metric["sensitivity"]["text"]
        assert metric["source"] == "recorded"

    def test_only_the_five_most_frequent_reasons_are_named(self, project: Project) -> None:
        first, second = runs_with(project, [1.0] * 20, [1.0] * 20)
        kinds = (
            ["timeout"] * 4
            + ["quota"] * 3
            + ["render", "internal", "overloaded", "connection", "bad_request"]
        )
        for item, kind in zip(second.items.order_by("position"), kinds, strict=False):
            EvalItem.objects.filter(pk=item.pk).update(status="failed", error_kind=kind)
        (metric,) = metrics_against(make(make_comparison(project, first, second), first), second)
        found = metric["lacking"]["candidate"]
        assert found[:2] == [
            {"reason": "No answer in time", "count": 4},
            {"reason": "Out of quota", "count": 3},
        ]
        assert (len(found), found[-1]) == (6, {"reason": "2 other reasons", "count": 2})
        assert sum(reason["count"] for reason in found) == metric["missing_in_candidate"] == 12

    def test_examples_in_groups_widen_the_interval(self, project: Project) -> None:
        """Wins and losses go by the level, so that fewer than three answers are independent."""
        by_level = [float(place % 3 == 0) for place in range(90)]
        first, second = runs_with(project, [0.0] * 90, by_level)
        comparison = make_comparison(project, first, second)
        (alone,), (grouped,) = (
            metrics_against(make(comparison, first, column=column), second) for column in ("", "level")
        )
        assert (alone["test"], grouped["test"]) == ("mcnemar_midp", "clustered_t")
        assert grouped["standard_error"] > 5 * alone["standard_error"]
        assert grouped["detectable"] > 5 * alone["detectable"]
        assert grouped["difference"] == alone["difference"]

    def test_repetitions_of_an_example_count_once(self, project: Project) -> None:
        version, metric = make_dataset_version(project, 30), make_evaluator_version(project)
        values = [[1.0, 0.0], [1.0, 1.0]]
        runs = [
            make_run(
                project, version, evaluators=[metric], repetitions=2, scores={metric.evaluator.slug: of * 30}
            )
            for of in values
        ]
        (found,) = metrics_against(make(make_comparison(project, *runs), runs[0]), runs[1])
        assert (found["n"], found["baseline"]["n"], found["baseline"]["clusters"]) == (30, 60, 30)
        assert (found["difference"], found["wins"]) == (0.5, 30)

    def test_several_raters_of_an_output_are_averaged(self, project: Project) -> None:
        version = make_dataset_version(project, 12)
        first, second = (make_run(project, version, outputs=["a"] * 12) for _ in range(2))
        for run, values in ((first, (0.0, 0.0)), (second, (1.0, 0.0))):
            ItemScore.objects.bulk_create(
                ItemScore(item=item, metric="tone", source="human", rater=f"r{place}", value=value)
                for item in run.items.all()
                for place, value in enumerate(values)
            )
        (found,) = metrics_against(make(make_comparison(project, first, second), first), second)
        assert (found["name"], found["source"], found["n"], found["difference"]) == ("tone", "human", 12, 0.5)


class TestRunsOverTwoVersions:
    def test_what_changed_is_listed_and_not_called_missing(self, project: Project) -> None:
        """q0 reads differently in version 2, q1 is gone, and one is new."""
        first, second = runs_with(project, [1.0] * 20, [0.0] * 20)
        old = second.items.get(example_key="q0").example
        Example.objects.filter(pk=old.pk).update(valid_to=2)
        fields = {"dataset": old.dataset, "valid_from": 2, "inputs": old.inputs, "metadata": {}}
        changed = Example.objects.create(key="q0", position=0, content_hash="a" * 64, **fields)
        new = Example.objects.create(key="q99", position=99, content_hash="b" * 64, **fields)
        second.items.filter(example_key="q0").update(example=changed)
        second.items.filter(example_key="q1").update(example=new, example_key="q99")
        figures = make(make_comparison(project, first, second), first)
        entry = entry_for(figures, second)
        assert entry is not None
        assert entry["unpaired"] == {"changed": 1, "only_baseline": 1, "only_candidate": 1}
        (metric,) = entry["metrics"]
        assert (metric["n"], metric["missing"]) == (18, 0)
        assert metric["lacking"] == {"baseline": [], "candidate": []}
        assert metric["sensitivity"] is None


class TestWholeRuns:
    def test_bleu_of_the_corpus_is_compared_by_resampling_the_corpus(self, project: Project) -> None:
        """The second run is wrong on one answer of three where the first always says too much."""
        from sacrebleu.metrics import BLEU

        size = 60
        references = [f"there are {place} red apples in all" for place in range(size)]
        outputs = [
            [f"there are {place} red apples in all and {place % 7} more" for place in range(size)],
            [f"there are {place if place % 3 else 'many'} red apples in all" for place in range(size)],
        ]
        dataset = make_dataset_version(project, size, references=references)
        version = evaluator(project, "bleu", "bleu")
        runs = [
            make_run(project, dataset, outputs=texts, evaluators=[version], finalize=False)
            for texts in outputs
        ]
        for run in runs:
            score_like_the_engine(run, version)
            finalize_run(run.pk)
        first, second = runs
        figures = make(make_comparison(project, first, second), first)
        found = {metric["name"]: metric for metric in metrics_against(figures, second)}
        corpus = found["bleu.corpus"]
        scores = [BLEU().corpus_score(texts, [references]).score for texts in outputs]
        assert [corpus["baseline_mean"], corpus["candidate_mean"]] == pytest.approx(scores)
        assert corpus["difference"] != pytest.approx(found["bleu"]["difference"])
        assert (corpus["level"], corpus["test"], corpus["n"]) == ("run", "paired_bootstrap_corpus", size)
        assert 0 < corpus["ci_low"] < corpus["difference"] < corpus["ci_high"]
        assert corpus["p_value"] < 0.05
        assert corpus["other_tests"].keys() == {"sacrebleu_paired_bootstrap"}
        assert corpus["wins"] is None
        assert make(make_comparison(project, first, second), first) == figures

    def test_examples_in_groups_are_drawn_by_the_group(self, project: Project) -> None:
        """All of one level are better or worse together, so that sixty answers say no more than three."""
        references = [f"there are {place} red apples in all" for place in range(60)]
        outputs = [
            [text if place % 3 else "no idea of this" for place, text in enumerate(references)],
            ["no idea of that" if place % 3 else text for place, text in enumerate(references)],
        ]
        dataset = make_dataset_version(project, 60, references=references)
        version = evaluator(project, "bleu", "bleu")
        runs = [
            make_run(project, dataset, outputs=texts, evaluators=[version], finalize=False)
            for texts in outputs
        ]
        for run in runs:
            score_like_the_engine(run, version)
            finalize_run(run.pk)
        votes_for(runs[1], runs[0], [("item", "other", "other")[place % 3] for place in range(60)])
        comparison = make_comparison(project, *runs)
        alone, grouped = (
            {
                metric["name"]: metric
                for metric in metrics_against(make(comparison, runs[0], column=column), runs[1])
            }
            for column in ("", "level")
        )
        for name in ("bleu.corpus", "preference"):
            widths = [of[name]["ci_high"] - of[name]["ci_low"] for of in (alone, grouped)]
            assert widths[1] > 2 * widths[0], name
            assert grouped[name]["difference"] == pytest.approx(alone[name]["difference"]), name
        assert (alone["preference"]["losses"], grouped["preference"]["losses"]) == (40, 2)


def score_like_the_engine(run: EvalRun, version: Any) -> None:
    from apps.evaluations.engine.scoring import scores_of
    from apps.evaluations.evaluators import ScoringInput, kind

    of = kind(version.evaluator.kind)
    items = list(run.items.select_related("example").order_by("position"))
    inputs = [ScoringInput(item.example.inputs, item.output, item.example.reference) for item in items]
    ItemScore.objects.bulk_create(
        ItemScore(
            item_id=score.item_id,
            evaluator_version_id=score.evaluator_version_id,
            metric=score.metric,
            value=score.value,
            statistics=score.statistics,
        )
        for item, outcome in zip(items, of.score_batch(inputs, version.config), strict=True)
        for score in scores_of(version, item.pk, outcome)
    )


class TestPreferencesAsAMetric:
    def test_votes_join_the_metrics_and_their_correction(self, project: Project) -> None:
        first, second = runs_with(project, [1.0, 0.0] * 20, [1.0, 1.0] * 20)
        votes_for(second, first, ["item"] * 24 + ["other"] * 6 + ["tie"] * 2)
        metrics = metrics_against(make(make_comparison(project, first, second), first), second)
        exact, preference = metrics
        assert (preference["name"], preference["source"], preference["test"]) == (
            "preference",
            "human",
            "sign_exact",
        )
        assert (preference["wins"], preference["ties"], preference["losses"]) == (24, 2, 6)
        assert preference["difference"] == pytest.approx(18 / 32)
        assert preference["candidate_mean"] == pytest.approx(25 / 32)
        assert preference["missing"] == 0
        assert preference["p_value"] == pytest.approx(0.0014307, abs=1e-6)  # binom.test(24, 30)
        smaller, larger = sorted([exact, preference], key=lambda metric: metric["p_value"])
        assert smaller["p_adjusted"] == pytest.approx(2 * smaller["p_value"])
        assert larger["p_adjusted"] == pytest.approx(larger["p_value"])

    def test_the_side_a_vote_was_stored_from_does_not_matter(self, project: Project) -> None:
        first, second = runs_with(project, [1.0] * 10, [1.0] * 10)
        votes_for(first, second, ["other"] * 7 + ["item"] * 3)
        figures = make(make_comparison(project, first, second), first)
        preference = metrics_against(figures, second)[-1]
        assert (preference["wins"], preference["losses"]) == (7, 3)


class TestRunsByThemselves:
    def test_each_run_has_its_own_figures(self, project: Project) -> None:
        first, second = runs_with(project, [1.0, 0.0, 1.0, 1.0], [None, 1.0, 1.0, 1.0])
        figures = make(make_comparison(project, first, second), first)
        assert [one["run"] for one in figures["runs"]] == [str(first.pk), str(second.pk)]
        own = figures["runs"][1]
        assert (own["metrics"][0]["n"], own["metrics"][0]["mean"]) == (3, 1.0)
        assert own["latency_ms"] == {"n": 3, "mean": 102.0, "median": 102.0}
        assert own["cost_usd"]["total"] == pytest.approx(0.0003)
        assert figures["columns"] == ["level"]


class TestKeeping:
    def test_a_worker_is_asked_once_and_again_after_a_minute(self, project: Project, sent: list[Any]) -> None:
        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        comparison = make_comparison(project, first, second, compute=False)
        for _ in range(3):
            state = state_of(comparison)
            assert (state.figures, state.waiting, state.stale) == (None, True, False)
        assert sent == [(first.pk, "metrics", "")]
        comparison.figures.update(asked_at=timezone.now() - timedelta(seconds=61))
        state_of(comparison)
        assert len(sent) == 2

    def test_the_worker_takes_what_it_is_sent_and_the_page_finds_what_it_made(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from worker.tasks.evaluations import compute_comparison

        first, second = runs_with(project, [1.0, 0.0] * 4, [0.0] * 8)
        comparison = make_comparison(project, first, second, compute=False)
        monkeypatch.setattr(
            "apps.evaluations.engine.dispatch.enqueue",
            lambda name, *, queue, **sent: compute_comparison(**sent),
        )
        state_of(comparison, column="level", baseline=second)
        state = state_of(comparison, column="level", baseline=second)
        assert not state.waiting
        assert metrics_against(state.figures, first)[0]["difference"] == 0.5

    def test_what_is_made_is_kept_until_a_run_or_a_vote_changes(
        self, project: Project, sent: list[Any]
    ) -> None:
        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        comparison = make_comparison(project, first, second)
        assert (state_of(comparison).waiting, sent) == (False, [])
        votes_for(second, first, ["item"])
        state = state_of(comparison)
        assert (state.waiting, state.stale, state.figures is not None) == (True, True, True)
        assert len(sent) == 1
        make(comparison, first)
        assert not state_of(comparison).waiting
        PairVote.objects.update(winner="other")
        assert state_of(comparison).stale
        make(comparison, first)
        EvalRun.objects.filter(pk=second.pk).update(finalized_at=None)
        state = state_of(comparison)
        assert (state.waiting, state.stale, state.unfinished) == (True, True, [second])

    def test_a_candidate_that_is_running_keeps_no_other_back(self, project: Project, sent: list[Any]) -> None:
        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        running = make_run(project, first.dataset_version, status="running", finalize=False)
        comparison = make_comparison(project, first, second, running, compute=False)
        state = state_of(comparison)
        assert (state.settled, state.unfinished, sent) == (False, [running], [(first.pk, "metrics", "")])
        assert [entry["run"] for entry in make(comparison, first)["candidates"]] == [str(second.pk)]
        state = state_of(comparison)
        assert (state.settled, state.waiting, state.stale) == (True, True, False)
        assert len(sent) == 1
        EvalRun.objects.filter(pk=running.pk).update(status="completed", finished_at=timezone.now())
        finalize_run(running.pk)
        assert len(sent) == 2
        state = state_of(comparison)
        assert (state.settled, state.stale, state.unfinished) == (False, True, [])
        assert len(make(comparison, first)["candidates"]) == 2
        assert not state_of(comparison).waiting

    def test_without_the_baseline_nothing_is_made(self, project: Project, sent: list[Any]) -> None:
        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        running = make_run(project, first.dataset_version, status="running", finalize=False)
        comparison = make_comparison(project, running, first, second, compute=False)
        state = state_of(comparison)
        assert (state.figures, state.waiting, state.unfinished, sent) == (None, True, [running], [])
        figures_make(comparison.pk, running.pk, "metrics", "")
        assert not comparison.figures.exists()

    def test_another_baseline_turns_the_difference_round(self, project: Project) -> None:
        first, second, third = runs_with(project, [1.0, 0.0] * 10, [1.0, 1.0] * 10, [0.0] * 20)
        comparison = make_comparison(project, first, second, third)
        straight = metrics_against(make(comparison, first), second)[0]
        figures = make(comparison, second)
        turned = metrics_against(figures, first)[0]
        assert turned["difference"] == -straight["difference"]
        assert [entry["run"] for entry in figures["candidates"]] == [str(first.pk), str(third.pk)]

    def test_a_column_that_the_dataset_lacks_is_refused_and_nobody_is_asked(
        self, project: Project, sent: list[Any]
    ) -> None:
        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        comparison = make_comparison(project, first, second)
        state = state_of(comparison, column="nothing")
        assert "no metadata column 'nothing'" in state.error
        assert (state.waiting, sent) == (False, [])

    def test_the_end_of_a_run_asks_for_the_figures_of_its_comparisons(
        self, project: Project, sent: list[Any]
    ) -> None:
        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        make_comparison(project, first, second)
        EvalRun.objects.filter(pk=second.pk).update(finalized_at=None)
        finalize_run(second.pk)
        assert sent == [(first.pk, "metrics", "")]

    def test_the_sweep_finds_what_was_dropped(
        self, project: Project, sent: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that nobody asked for, and one asked for that no worker made; not one whose run goes on."""
        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        long_ago = timezone.now() - timedelta(hours=1)
        forgotten, waited = (make_comparison(project, first, second, compute=False) for _ in range(2))
        make_comparison(project, first, second)
        running = make_run(project, first.dataset_version, status="running")
        make_comparison(project, first, running, compute=False)
        Comparison.objects.update(created_at=long_ago)
        waited.figures.create(baseline=second, part="metrics", asked_at=long_ago)
        waited.figures.create(baseline=first, part="metrics", asked_at=long_ago)
        sweeping.sweep_runs()
        assert sorted(sent) == sorted([(first.pk, "metrics", "")] * 2 + [(second.pk, "metrics", "")])
        assert forgotten.figures.get().asked_at is not None

    def test_figures_that_cannot_be_made_say_why_and_are_not_tried_for_ever(
        self, project: Project, sent: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from apps.evaluations.comparing import making

        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        comparison = make_comparison(project, first, second, compute=False)
        monkeypatch.setitem(making.MAKERS, "metrics", lambda *parts: 1 // 0)
        figures_make(comparison.pk, first.pk, "metrics", "")
        state = state_of(comparison)
        assert "ZeroDivisionError" in state.error
        assert (state.waiting, sent) == (False, [])

    def test_a_part_that_kills_its_workers_is_given_up_after_three(
        self, project: Project, sent: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from apps.evaluations.comparing import making

        def killed(*parts: Any) -> Any:
            raise SystemExit

        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        comparison = make_comparison(project, first, second, compute=False)
        with monkeypatch.context() as patched:
            patched.setitem(making.MAKERS, "metrics", killed)
            for _ in range(3):
                with pytest.raises(SystemExit):
                    figures_make(comparison.pk, first.pk, "metrics", "")
            figures_make(comparison.pk, first.pk, "metrics", "")
        state = state_of(comparison)
        assert (state.failed, state.waiting, sent) == (True, False, [])
        assert "3 workers began and ended" in state.error
        figures_make(comparison.pk, first.pk, "metrics", "")
        assert state_of(comparison).error == ""

    def test_the_list_reads_all_of_them_at_once(
        self, project: Project, django_assert_num_queries: Any
    ) -> None:
        first, second = runs_with(project, [1.0] * 4, [0.0] * 4)
        made, unmade = (
            make_comparison(project, first, second),
            make_comparison(project, first, second, compute=False),
        )
        with django_assert_num_queries(1):
            found = figures_of_list([made, unmade])
        assert found[unmade.pk] is None
        assert metrics_against(found[made.pk], second)


class TestQueries:
    def count(self, project: Project, size: int, runs: int, part: str = "metrics", column: str = "") -> int:
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        made = runs_with(
            project, *[[float((place * run) % 2) for place in range(size)] for run in range(1, runs + 1)]
        )
        votes_for(made[1], made[0], ["item"] * 3)
        comparison = make_comparison(project, made[0], *made[1:], compute=False)
        fresh = comparison_get(project=project, id=comparison.pk)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            figures_make(comparison.pk, made[0].pk, part, column)
            state = figures_state(fresh, fresh.baseline, part, column)
        assert state.error == ""
        assert state.figures is not None
        return len(asked)

    @pytest.mark.parametrize(
        ("part", "column"),
        [
            ("metrics", ""),
            ("metrics", "level"),
            ("slices", "level"),
            ("distributions", ""),
            ("preferences", ""),
        ],
    )
    def test_their_number_depends_neither_on_rows_nor_on_runs(
        self, project: Project, part: str, column: str
    ) -> None:
        few = self.count(project, 6, 2, part, column)
        assert few < 30
        assert self.count(project, 60, 2, part, column) == few
        assert self.count(project, 6, 7, part, column) == few
