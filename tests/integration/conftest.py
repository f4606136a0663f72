"""What tests of driven runs start from: a fake provider, a prompt, forty words, and exact match."""

from __future__ import annotations

import pytest

from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.evaluations.evaluators import default_config, kind
from apps.evaluations.models import Evaluator, EvaluatorVersion
from apps.prompts.models import PromptVersion
from apps.providers.models import Provider
from apps.providers.services import ProviderSettings, provider_create
from tests.factories.driven_runs import BY, make_dataset, make_prompt


@pytest.fixture
def fake(project: Project) -> Provider:
    return provider_create(project=project, by=BY, kind="fake", settings=ProviderSettings(name="Fake"))


@pytest.fixture
def prompt(project: Project, fake: Provider) -> PromptVersion:
    return make_prompt(project, "fake/upper")


@pytest.fixture
def words(project: Project) -> DatasetVersion:
    return make_dataset(project, [f"word{number},WORD{number},{number % 2}" for number in range(40)])


@pytest.fixture
def exact(project: Project) -> EvaluatorVersion:
    evaluator = Evaluator.objects.create(project=project, slug="exact", name="exact", kind="exact_match")
    return EvaluatorVersion.objects.create(
        evaluator=evaluator, number=1, config=default_config(kind("exact_match"))
    )
