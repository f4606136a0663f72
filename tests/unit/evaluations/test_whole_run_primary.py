"""A comparison decided by a metric that only a whole run has: BLEU of the corpus."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.comparisons.services import comparison_create
from apps.evaluations.engine.finalizing import finalize_run
from apps.evaluations.models import Comparison
from tests.factories.core import SYSTEM
from tests.factories.evaluations import make_dataset_version, make_run
from tests.unit.evaluations.test_comparison_figures import evaluator, score_like_the_engine

pytestmark = pytest.mark.django_db
CORPUS = "bleu.corpus"


@pytest.fixture
def comparison(project: Project) -> Comparison:
    """The first run always says too much; the second is wrong on one answer of three. BLEU was planned."""
    references = [f"there are {place} red apples in all" for place in range(30)]
    outputs = [
        [f"{text} and {place % 7} more" for place, text in enumerate(references)],
        [text if place % 3 else text.replace("red", "many") for place, text in enumerate(references)],
    ]
    dataset, version = (
        make_dataset_version(project, 30, references=references),
        evaluator(project, "bleu", "bleu"),
    )
    runs = []
    for texts in outputs:
        run = make_run(
            project, dataset, outputs=texts, evaluators=[version], primary_metric=CORPUS, finalize=False
        )
        score_like_the_engine(run, version)
        finalize_run(run.pk)
        runs.append(run)
    return comparison_create(project=project, by=SYSTEM, baseline=runs[0], candidates=runs[1:])


def test_what_was_planned_decides(comparison: Comparison) -> None:
    assert comparison.primary_metric == CORPUS


def test_the_verdict_is_about_the_corpus_and_the_rows_about_its_sentences(
    comparison: Comparison, client_as: Callable[[Role], Client]
) -> None:
    figures_make(comparison.pk, comparison.baseline_id, "metrics", "")
    address = reverse("evaluations:comparison-detail", args=[comparison.project.slug, comparison.number])
    page = client_as(Role.VIEWER).get(address).content.decode()
    assert "is better than" in page
    assert "chosen before the runs" in page
    assert "Worse <" in page
