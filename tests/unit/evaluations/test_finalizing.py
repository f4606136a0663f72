"""What a run's end makes of its scores: means, spread, figures of the whole run, verdicts."""

from __future__ import annotations

from statistics import fmean, stdev
from typing import Any

import pytest

from apps.evaluations.engine.finalizing import finalize_run
from apps.evaluations.engine.scoring import Score, scores_of
from apps.evaluations.evaluators import ScoringInput, complete_config, kind
from apps.evaluations.models import EvalRun, EvaluatorVersion, ItemScore
from tests.factories.evaluations import make_dataset_version, make_evaluator_version, make_run

pytestmark = pytest.mark.django_db


def evaluator(project: Any, name: str, slug: str, **config: Any) -> EvaluatorVersion:
    version = make_evaluator_version(project, name, slug)
    complete = complete_config(kind(name), config)
    return EvaluatorVersion.objects.create(evaluator=version.evaluator, number=2, config=complete)


def finished_run(
    project: Any, outputs: list[str], evaluators: list[EvaluatorVersion], repetitions: int = 1
) -> EvalRun:
    """A run over questions whose references are "1", "2", …, scored as the engine scores it."""
    dataset = make_dataset_version(project, len(outputs) // repetitions)
    run = make_run(
        project, dataset, outputs=outputs, evaluators=evaluators, repetitions=repetitions, finalize=False
    )
    scores: list[Score] = []
    for version in evaluators:
        of = kind(version.evaluator.kind)
        if of.place == "at_end":
            continue
        items = list(run.items.select_related("example").order_by("position", "repetition"))
        inputs = [ScoringInput(item.example.inputs, item.output, item.example.reference) for item in items]
        for item, outcome in zip(items, of.score_batch(inputs, version.config), strict=True):
            scores += scores_of(version, item.pk, outcome)
    ItemScore.objects.bulk_create(
        ItemScore(
            item_id=score.item_id,
            evaluator_version_id=score.evaluator_version_id,
            metric=score.metric,
            value=score.value,
            detail=score.detail,
            label=score.label,
            statistics=score.statistics,
        )
        for score in scores
    )
    finalize_run(run.pk)
    run.refresh_from_db()
    return run


def metric(run: EvalRun, name: str) -> Any:
    return run.metrics.get(name=name)


def test_the_corpus_figure_is_that_of_sacrebleu_over_the_whole_run(project):
    from sacrebleu.metrics import BLEU

    outputs = ["1 and more", "3", "3", "what is 4"]
    run = finished_run(project, outputs, [evaluator(project, "bleu", "bleu", smoothing="exp")])
    expected = BLEU(force=True)
    score = expected.corpus_score(outputs, [["1", "2", "3", "4"]])
    corpus = metric(run, "bleu.corpus")
    assert corpus.mean == pytest.approx(score.score)
    assert corpus.detail["signature"] == f"BLEU|{expected.get_signature().format()}"
    assert corpus.mean != pytest.approx(metric(run, "bleu").mean)
    assert (corpus.n, corpus.missing) == (4, 0)


def test_figures_of_the_whole_run_have_an_interval_that_is_the_same_each_time(project):
    version = evaluator(project, "classification", "topic")
    run = finished_run(project, ["1", "2", "4", "4", "1", "6"], [version])
    first = metric(run, "topic.accuracy")
    assert first.mean == pytest.approx(4 / 6)
    assert 0 <= first.ci_low < first.mean < first.ci_high <= 1
    assert "1,000 resamples" in first.detail["interval"]
    EvalRun.objects.filter(pk=run.pk).update(finalized_at=None)
    finalize_run(run.pk)
    again = metric(run, "topic.accuracy")
    assert (again.mean, again.ci_low, again.ci_high) == (first.mean, first.ci_low, first.ci_high)
    assert metric(run, "topic.f1").detail["confusion"]["labels"]
    assert {row["label"] for row in metric(run, "topic.f1").detail["categories"]} == {
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
    }


def test_the_interval_of_accuracy_is_near_that_of_the_mean(project):
    outputs = [str(place + 1) if place % 3 else "0" for place in range(300)]
    run = finished_run(project, outputs, [evaluator(project, "classification", "topic")])
    mean, accuracy = metric(run, "topic"), metric(run, "topic.accuracy")
    assert mean.mean == accuracy.mean
    assert accuracy.ci_low == pytest.approx(mean.ci_low, abs=0.015)
    assert accuracy.ci_high == pytest.approx(mean.ci_high, abs=0.015)


def test_spread_is_the_deviation_between_repetitions(project):
    outputs = ["1", "1 1", "1 1 1", "2", "2", "2"]
    run = finished_run(project, outputs, [evaluator(project, "length", "length", at_most=10)], repetitions=3)
    assert metric(run, "length.length").spread == pytest.approx(fmean([stdev([1, 3, 5]), 0]))
    assert metric(run, "length.within").spread == 0


def test_a_run_without_repetitions_has_no_spread(project):
    run = finished_run(project, ["1", "2"], [evaluator(project, "exact_match", "exact")])
    assert metric(run, "exact").spread is None


def test_metrics_stand_in_the_order_of_the_plan(project):
    versions = [evaluator(project, "bleu", "bleu"), evaluator(project, "exact_match", "exact")]
    run = finished_run(project, ["1", "2"], versions)
    assert list(run.metrics.order_by("id").values_list("name", flat=True)) == [
        "bleu",
        "bleu.corpus",
        "exact",
    ]


def condition(metric: str, comparison: str, value: float, weight: float = 1) -> dict[str, Any]:
    return {"metric": metric, "comparison": comparison, "value": value, "weight": weight}


class TestPassesIf:
    OUTPUTS = ("1", "2 is it, I am sure", "9", "4")

    def run_with(self, project: Any, **config: Any) -> EvalRun:
        versions = [
            evaluator(project, "contains", "has"),
            evaluator(project, "length", "length", at_most=5),
            evaluator(project, "passes_if", "good", **config),
        ]
        return finished_run(project, list(self.OUTPUTS), versions)

    def passed(self, run: EvalRun) -> list[float | None]:
        scores = ItemScore.objects.filter(item__run=run, metric="good").order_by("item__position")
        return list(scores.values_list("value", flat=True))

    BOTH = (condition("has", "at_least", 1, 3), condition("length.length", "at_most", 5, 1))

    def test_an_item_passes_when_all_conditions_hold(self, project):
        run = self.run_with(project, conditions=list(self.BOTH), run_needed=0.5)
        assert self.passed(run) == [1, 0, 0, 1]
        assert metric(run, "good").mean == 0.5
        assert metric(run, "good.run").mean == 1
        assert "50.0% of the items pass" in metric(run, "good.run").detail["reason"]

    def test_weights_decide_where_not_all_must_hold(self, project):
        run = self.run_with(project, conditions=list(self.BOTH), needed=0.75)
        assert self.passed(run) == [1, 1, 0, 1]
        assert metric(run, "good.run").mean == 0
        failed = ItemScore.objects.get(item__run=run, metric="good", value=0)
        assert "has at least 1" in failed.detail

    def test_the_run_has_conditions_of_its_own(self, project):
        run = self.run_with(
            project,
            conditions=list(self.BOTH),
            needed=0.75,
            run_needed=0.5,
            run_conditions=[condition("has", "at_least", 0.8)],
        )
        assert metric(run, "good.run").mean == 0
        assert "has at least 0.8" in metric(run, "good.run").detail["reason"]

    def test_a_rule_may_be_about_the_whole_run_alone(self, project):
        run = self.run_with(project, run_conditions=[condition("has", "above", 0.7)])
        assert metric(run, "good.run").mean == 1
        assert metric(run, "good").n == 0

    def test_a_metric_that_the_run_lacks_is_named_and_nothing_is_called_failed(self, project):
        run = self.run_with(project, conditions=[condition("toxicity", "below", 0.1)])
        assert self.passed(run) == [None] * 4
        assert "no metric “toxicity”" in ItemScore.objects.filter(metric="good").first().detail
        assert metric(run, "good.run").mean is None

    def test_finalising_again_writes_nothing_twice(self, project):
        run = self.run_with(project, conditions=list(self.BOTH))
        EvalRun.objects.filter(pk=run.pk).update(finalized_at=None)
        finalize_run(run.pk)
        assert self.passed(run) == [1, 0, 0, 1]
