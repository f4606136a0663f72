"""Versions that answer, and measurements driven to their end as workers do it, in the test's own process."""

from __future__ import annotations

from apps.core.models import Project
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.models import ComparisonFigures
from apps.providers.models import Model, Provider
from apps.training.measuring.settling import measurements_sweep
from apps.training.models import ModelMeasurement, ModelState, ModelVersion
from tests.factories.driven_runs import drive
from tests.factories.training import make_model_version


def served(version: ModelVersion, provider: Provider, name: str) -> ModelVersion:
    """Registered as registering does: prompts and runs name it "provider/name"."""
    model, _ = Model.objects.get_or_create(provider=provider, name=name)
    ModelState.objects.filter(version=version).update(model=model)
    return version


def make_base(project: Project, fake: Provider) -> ModelVersion:
    """It repeats a word, and is always wrong."""
    return served(make_model_version(project, "base", kind="base", source="embedded"), fake, "echo")


def make_better(base: ModelVersion, fake: Provider) -> ModelVersion:
    """It says a word in capitals, which is what the rows ask for."""
    return served(make_model_version(base.project, "tone", base=base), fake, "upper")


def settled(measurement: ModelMeasurement) -> ModelMeasurement:
    """What workers and their sweep do, until it has ended."""
    for run in (measurement.run, measurement.base_run):
        assert run is not None
        drive(run)
    for _ in range(4):
        measurements_sweep()
        asked = ComparisonFigures.objects.filter(asked_at__isnull=False)
        for part in asked.values_list("comparison_id", "baseline_id", "part", "column"):
            figures_make(*part)
    measurement.refresh_from_db()
    return measurement
