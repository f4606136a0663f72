"""Versions that answer, and measurements driven to their end as workers do it, in the test's own process."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from apps.core.models import Project
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.models import Comparison, ComparisonFigures
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


def make_measurement(version: ModelVersion, comparison: Comparison, **fields: Any) -> ModelMeasurement:
    """One that has ended with a comparison that is there already; nobody drives anything."""
    figures = {
        "tone": "better",
        "headline": f"{version.full_name} is better than its base on Exact match.",
        "detail": "Difference +25.0 points, 95% interval +6.6 to +43.4, over 12 examples.",
        "metric": {
            "name": comparison.primary_metric,
            "title": "Exact match",
            "source": "evaluator",
            "level": "item",
            "direction": "higher",
            "scale": "binary",
            "unit": "",
            "n": 12,
            "missing": 0,
            "baseline_mean": 0.5,
            "candidate_mean": 0.75,
            "difference": 0.25,
            "ci_low": 0.066,
            "ci_high": 0.434,
            "p_value": 0.01,
            "p_adjusted": 0.02,
            "wins": 4,
            "ties": 7,
            "losses": 1,
        },
    }
    return ModelMeasurement.objects.create(
        version=version,
        comparison=comparison,
        base_run=comparison.baseline,
        run=comparison.candidates.get(),
        finished_at=timezone.now(),
        **{"status": "completed", "verdict": "no_policy", "figures": figures, **fields},
    )


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
