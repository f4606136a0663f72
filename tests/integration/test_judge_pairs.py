"""Judges that compare: with the reference, with another output in both orders, repetitions among them."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.models import Project
from apps.evaluations.evaluator_errors import InvalidConfig
from apps.evaluations.evaluator_trial import PendingTrial, trial_get, trial_run, trial_start
from apps.evaluations.evaluators import ScoringInput
from apps.evaluations.models import EvaluatorVersion, ItemScore, PairVote
from apps.prompts.models import Prompt
from apps.providers.models import Provider
from tests.factories.evaluations import make_dataset_version
from tests.integration.judging import drive, make_evaluator, make_fake, make_loop, shown, start_run, verdict
from tests.loopback_provider import Behaviour, LoopbackProvider

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fake(project: Project) -> Provider:
    return make_fake(project)


@pytest.fixture
def loop(project: Project, fake: Provider, loopback_provider: LoopbackProvider) -> LoopbackProvider:
    make_loop(project, loopback_provider)
    return loopback_provider


def judge(project: Project, kind: str, **config: Any) -> EvaluatorVersion:
    return make_evaluator(project, kind, model="loop/loop-small", **config)


def test_factuality_compares_with_the_reference(project: Project, loop: LoopbackProvider) -> None:
    names = ["subset", "superset", "same", "disagree"]
    loop.behaviour = Behaviour(reply=lambda body: verdict(category=names[int(shown(body, "reference")) - 1]))
    run = drive(start_run(project, judge(project, "factuality"), size=4))

    scores = ItemScore.objects.filter(item__run=run).order_by("item__position")
    assert list(scores.values_list("label", "value")) == list(zip(names, [0.4, 0.6, 1.0, 0.0], strict=True))


def test_a_pair_is_asked_in_both_orders_and_a_flip_is_a_tie(project: Project, loop: LoopbackProvider) -> None:
    def choice(body: dict[str, Any]) -> str:
        first, second = shown(body, "first"), shown(body, "second")
        if "1" in (first, second):  # of the first example: whatever is shown first
            return verdict(winner="first")
        return verdict(winner="first" if len(first) > len(second) else "second")

    loop.behaviour = Behaviour(reply=choice)
    run = drive(start_run(project, judge(project, "pairwise_judge"), size=4))

    assert len(loop.calls) == 8
    scores = ItemScore.objects.filter(item__run=run).order_by("item__position")
    assert list(scores.values_list("label", "value")) == [("tie", 0.5)] + [("win", 1.0)] * 3
    metrics = {metric.name: metric.mean for metric in run.metrics.all()}
    assert metrics["pairwise_judge"] == pytest.approx(3.5 / 4)
    assert metrics["pairwise_judge.flip_rate"] == 0.25
    assert metrics["pairwise_judge.tie_rate"] == 0.25
    votes = PairVote.objects.filter(item__run=run).order_by("item__position")
    assert list(votes.values_list("winner", "consistent", "rater", "other_item")) == [
        ("tie", False, "judge:pairwise_judge", None),
        *[("item", True, "judge:pairwise_judge", None)] * 3,
    ]


def test_a_pair_may_be_another_runs_output(project: Project, loop: LoopbackProvider) -> None:
    version = make_dataset_version(project, 3)
    first = drive(start_run(project, dataset_version=version, model="fake/count"))
    pairs = judge(project, "pairwise_judge", against="run", baseline_run=first.number)
    loop.behaviour = Behaviour(
        reply=lambda body: verdict(winner="first" if shown(body, "first") == "5" else "second")
    )
    run = drive(start_run(project, pairs, dataset_version=version))

    assert run.status == "completed"
    assert set(ItemScore.objects.filter(item__run=run).values_list("label", flat=True)) == {"loss"}
    votes = PairVote.objects.filter(item__run=run).select_related("item", "other_item")
    assert {(vote.item.example_key, vote.winner) for vote in votes} == {(f"q{n}", "other") for n in range(3)}
    assert all(vote.other_item and vote.other_item.example_key == vote.item.example_key for vote in votes)


def test_a_run_to_compare_with_must_be_there(project: Project, loop: LoopbackProvider) -> None:
    for config in ({"against": "run"}, {"against": "run", "baseline_run": 99}):
        with pytest.raises(InvalidConfig) as refused:
            judge(project, "pairwise_judge", **config)
        assert list(refused.value.fields) == ["config.baseline_run"]


def test_repetitions_are_compared_when_the_run_has_ended(project: Project, fake: Provider) -> None:
    version = make_evaluator(project, "self_consistency", method="numeric")
    run = drive(start_run(project, version, size=2, repetitions=3, model="fake/count"))

    assert run.finalized_at is not None
    assert set(ItemScore.objects.filter(item__run=run).values_list("value", flat=True)) == {1.0}
    metric = run.metrics.get(name="self_consistency")
    assert (metric.n, metric.mean) == (6, 1.0)


def test_a_run_without_repetitions_has_no_consistency(project: Project, fake: Provider) -> None:
    run = drive(start_run(project, make_evaluator(project, "self_consistency"), size=2))

    assert run.metrics.get(name="self_consistency").mean is None
    assert "repetitions" in ItemScore.objects.filter(item__run=run)[0].detail


def test_a_judge_is_tried_by_a_worker_before_it_is_saved(
    project: Project, loop: LoopbackProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "apps.evaluations.evaluator_trial.enqueue",
        lambda name, *, queue, **kwargs: sent.append((name, queue)),
    )
    loop.behaviour = Behaviour(reply=lambda body: verdict(score=3))
    config = {"model": "loop/loop-small"}
    item = ScoringInput({"question": "Why?"}, "Because.")
    pending = trial_start(project=project, kind="rubric_judge", config=config, item=item)

    assert isinstance(pending, PendingTrial)
    assert sent == [("worker.evaluators.dry_run_by_calls", "interactive")]
    assert not loop.calls
    trial_run(project_id=str(project.pk), token=pending.token)
    trial = trial_get(project=project, token=pending.token)
    assert not isinstance(trial, PendingTrial)
    assert (trial.values, trial.detail) == ([("Score", 3.0)], "Because.")
    assert not Prompt.objects.filter(project=project).exists(), "a trial writes nothing"
