"""A run that uses the response cache calls once for each different question, and pays once."""

from __future__ import annotations

import pytest

from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.evaluations.models import EvaluatorVersion
from apps.prompts.models import PromptVersion
from apps.traces.models import Span
from tests.factories.driven_runs import drive, make_prompt, make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_second_run_takes_its_answers_from_the_cache_and_costs_nothing(
    words: DatasetVersion,
    prompt: PromptVersion,
    exact: EvaluatorVersion,
) -> None:
    first = drive(make_run(words, prompt, exact, use_cache=True))
    second = drive(make_run(words, prompt, exact, use_cache=True))

    assert first.progress.cached == 0
    assert second.progress.cached == second.total == 40
    assert second.progress.cost_usd == 0
    assert not Span.objects.filter(trace_id=second.plan["trace"]).exists(), "nothing was sent"
    in_order = [
        list(run.items.order_by("position").values_list("output", "scores__value")) for run in (first, second)
    ]
    assert in_order[0] == in_order[1]


def test_a_run_without_the_cache_calls_again(words: DatasetVersion, prompt: PromptVersion) -> None:
    drive(make_run(words, prompt, use_cache=True))
    again = drive(make_run(words, prompt))

    assert again.progress.cached == 0
    assert Span.objects.filter(trace_id=again.plan["trace"]).count() == 40


def test_errors_are_never_kept(project: Project, fake: object, words: DatasetVersion) -> None:
    broken = make_prompt(project, "fake/error-context")
    first = drive(make_run(words, broken, use_cache=True))
    second = drive(make_run(words, broken, use_cache=True))

    assert first.status == second.status == "failed"
    assert second.progress.cached == 0
