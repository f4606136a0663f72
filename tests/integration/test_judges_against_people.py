"""A judge's scores beside what people say of the same answers: its page, its badges, means corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.datasets.models import DatasetVersion
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.models import EvalRun, EvaluatorVersion, ItemScore, PairVote
from apps.evaluations.people_ratings import pair_vote_of, pair_vote_save, rating_set, side_of
from apps.evaluations.statistics.prediction_powered import corrected_mean
from apps.feedback.judging.checking import checks_of, judge_figures_make
from apps.feedback.models import JudgeFigures
from tests.factories.evaluations import (
    make_comparison,
    make_dataset_version,
    make_evaluator_version,
    make_run,
)
from tests.factories.feedback import make_queue

ANN, BOB = "user:0190a0a0-0000-7000-8000-000000000001", "user:0190a0a0-0000-7000-8000-000000000002"
QUESTION = {"key": "right", "label": "Is it right?", "kind": "thumb", "required": True, "evaluator": "right"}


def judge_of(
    project: Project, slug: str = "right", kind: str = "rubric_judge", **config: Any
) -> EvaluatorVersion:
    version = make_evaluator_version(project, kind=kind, slug=slug)
    return EvaluatorVersion.objects.create(evaluator=version.evaluator, number=2, config=config)


def scored(
    project: Project,
    judge: EvaluatorVersion,
    values: Sequence[float | None],
    version: DatasetVersion | None = None,
) -> EvalRun:
    return make_run(
        project,
        version or make_dataset_version(project, len(values)),
        scores={judge.evaluator.slug: values},
        outputs=[f"answer {place}" for place in range(len(values))],
        evaluators=[judge],
    )


def rate(
    run: EvalRun, metric: str, values: Sequence[float | None], rater: str = ANN, label: str = ""
) -> None:
    items = run.items.order_by("position")
    for item, value in zip(items, values, strict=False):
        if value is not None or label:
            rating_set(item, metric=metric, rater=rater, value=value, label=label)


def made(project: Project, judge: EvaluatorVersion, asked: str = "") -> dict[str, Any]:
    """The figures as a worker makes them once somebody has looked."""
    [check] = checks_of(project, [judge], asked=asked)
    assert check.state.waiting
    judge_figures_make(judge.pk, check.spec.name, asked)
    [check] = checks_of(project, [judge], asked=asked)
    assert (check.state.waiting, check.state.error) == (False, "")
    assert check.state.figures is not None
    return check.state.figures


def test_yes_and_no_of_a_judge_beside_thumbs(
    project: Project,
    client_as: Callable[[Role], Client],
    api_client: Callable[[Role], APIClient],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    """40 answers; people rate the first 36: of their 20 yes the judge finds 18, of their 14 no it errs on 4;
    on two they are split."""
    judge = judge_of(project)
    run = scored(project, judge, [1.0] * 18 + [0.0] * 2 + [1.0] * 4 + [0.0] * 10 + [1.0] * 6)
    other = scored(project, judge, [1.0, 0.0] * 20, run.dataset_version)
    comparison = make_comparison(project, other, run)
    viewer, url = client_as(Role.VIEWER), f"/p/{project.slug}/feedback/judges/right/"
    assert "Not checked against people" in viewer.get(url).content.decode()
    assert "not checked against people" in viewer.get(f"{url}badge/").content.decode()

    make_queue(project, form=[QUESTION])
    rate(run, "right", [1.0] * 20 + [0.0] * 14 + [1.0, 0.0])
    rate(run, "right", [1.0] * 20 + [0.0] * 14 + [0.0, 1.0], rater=BOB)
    rate(other, "something-else", [1.0])
    figures = made(project, judge)
    assert (figures["mode"], figures["n"], figures["ties"], figures["raters"]) == ("binary", 34, 2, 2)
    assert figures["against"] == ["Is it right?"]
    assert figures["confusion"]["counts"] == [[10, 4], [2, 18]]
    yes = figures["confusion"]["rates"][1]
    assert (yes["true_positive"]["hits"], yes["true_positive"]["n"]) == (18, 20)
    assert yes["false_positive"]["value"] == pytest.approx(4 / 14)
    assert figures["headline"]["value"] == pytest.approx(0.6277, abs=1e-4)
    assert len(figures["examples"]) == 6
    assert {row["run"] for row in figures["examples"]} == {run.number}

    # Both means: the judge's own, and people's over the whole run, from all that both rated.
    [told] = figures["runs"]
    assert told["raw"]["mean"] == pytest.approx(28 / 40)
    people = [1.0] * 20 + [0.0] * 14 + [0.5, 0.5]
    scores = [1.0] * 18 + [0.0] * 2 + [1.0] * 4 + [0.0] * 10 + [1.0] * 2
    expected = corrected_mean(np.array(people), np.array(scores), np.ones(4))
    assert expected is not None
    assert told["corrected"]["value"] == pytest.approx(expected.value)
    assert told["corrected"]["n"] == 36

    page = viewer.get(url).content.decode()
    assert "Agrees with people: κ 0.63 [0.36, 0.89], n 34" in page
    assert "2 answers on which they are split are left out" in page
    badges = f"/p/{project.slug}/feedback/judges/of-run/{run.number}/"
    with django_assert_max_num_queries(14):
        swapped = viewer.get(badges).content.decode()
    assert 'id="judge-badge-right"' in swapped
    assert "agrees with people: κ 0.63 [0.36, 0.89], n 34" in swapped
    figures_make(comparison.pk, other.pk, "metrics", "")
    shown = viewer.get(f"/p/{project.slug}/comparisons/{comparison.number}/").content.decode()
    assert f'hx-get="{badges}"' in shown  # one request for all of them
    assert 'id="judge-badge-right"' in shown
    rest = api_client(Role.VIEWER).get("/api/v1/evaluators/right/against-people/").json()["results"]
    assert [row["rated"] for row in rest] == [True, False]
    assert rest[0]["agreement"]["n"] == 34
    assert rest[0]["runs"][0]["corrected"]["n"] == 36

    # The figures follow the ratings, and another metric can be chosen.
    rate(run, "right", [0.0])
    [check] = checks_of(project, [judge])
    assert (check.state.waiting, check.state.stale) == (True, True)
    assert made(project, judge, "something-else")["n"] == 1
    assert JudgeFigures.objects.filter(evaluator_version=judge).count() == 2


def test_scales_categories_and_thresholds(project: Project) -> None:
    stars = {"key": "stars", "label": "Stars", "kind": "scale", "required": True, "evaluator": "steps"}
    tone = {
        "key": "tone",
        "label": "Tone",
        "kind": "categories",
        "options": ["Warm", "Cold"],
        "required": True,
    }
    make_queue(project, form=[stars, {**tone, "evaluator": "tone"}])
    judge = judge_of(project, "steps", answer="scale", scale_max=5)
    run = scored(project, judge, [1.0, 2.0, 3.0, 4.0, 5.0, 5.0])
    rate(run, "stars", [1.0, 2.0, 3.0, 4.0, 4.0, 5.0])
    figures = made(project, judge)
    assert (figures["mode"], figures["headline"]["name"], figures["n"]) == ("numbers", "weighted κ", 6)
    assert 0.9 < figures["headline"]["value"] < 1
    assert figures["numbers"]["higher"]["value"] == pytest.approx(1 / 6)
    assert (figures["examples"][0]["people"], figures["examples"][0]["judge"]) == ("4", "5")
    assert figures["runs"][0]["corrected"] is None  # too few

    yes_no = scored(project, judge, [1.0, 2.0, 3.0, 5.0])
    rate(yes_no, "steps", [0.0, 0.0, 1.0, 1.0])
    found = made(project, judge, "steps")
    assert (found["mode"], found["judge_from"], found["headline"]["value"]) == ("binary", 3.0, 1.0)

    by_label = judge_of(project, "tone", answer="category")
    warm = scored(project, by_label, [None] * 4)
    for item, label in zip(warm.items.order_by("position"), ("Warm", "Warm", "Cold", "Cold"), strict=True):
        ItemScore.objects.filter(item=item, metric="tone").update(label=label)
        rating_set(item, metric="tone", rater=ANN, value=None, label="warm" if item.position < 3 else "cold")
    told = made(project, by_label)
    assert (told["mode"], told["confusion"]["labels"]) == ("categories", ["cold", "warm"])
    assert sum(map(sum, told["confusion"]["counts"])) == 4


def test_a_judge_of_pairs_is_held_against_votes_on_the_same_pairs(project: Project) -> None:
    judge = judge_of(project, "better", kind="pairwise_judge")
    version = make_dataset_version(project, 6)
    base = make_run(project, version, outputs=list("abcdef"), evaluators=[])
    run = make_run(project, version, outputs=list("ghijkl"), scores={"better": [1.0] * 6}, evaluators=[judge])
    pairs = list(zip(run.items.order_by("position"), base.items.order_by("position"), strict=True))
    for place, (ours, theirs) in enumerate(pairs):
        PairVote.objects.create(
            item=ours, other_item=theirs, evaluator_version=judge, winner="item", rater="judge:better"
        )
        low, high = (ours, theirs) if ours.pk < theirs.pk else (theirs, ours)
        vote = pair_vote_of(low, high, ANN)
        vote.winner = side_of([ours, ours, ours, ours, theirs, None][place], low)
        pair_vote_save(vote, low, high)
    figures = made(project, judge)
    assert (figures["mode"], figures["n"], figures["against"]) == (
        "categories",
        6,
        ["votes on the same pairs"],
    )
    assert figures["agreed"]["value"] == pytest.approx(4 / 6)
    assert sorted((row["people"], row["judge"]) for row in figures["examples"]) == [
        ("a tie", "this answer"),
        ("the other", "this answer"),
    ]
