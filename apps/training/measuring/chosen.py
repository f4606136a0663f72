"""What the form of a measurement begins with: what was measured last, as far as it is still there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.datasets.models import DatasetVersion
from apps.datasets.selectors import splits_of
from apps.prompts.models import PromptVersion
from apps.training.measuring.plans import dataset_version_found, prompt_version_found
from apps.training.models import ModelVersion
from apps.training.splits import VALIDATION, has_train, part_of


def chosen_for(version: ModelVersion) -> dict[str, Any]:
    """By the newest measurement, else by the job that made it, else nothing but a split."""
    newest = version.measurements.order_by("-id").first()
    job = version.jobs.order_by("-id").first() if newest is None else None
    return chosen_by_plan(version, newest.plan if newest else job.evaluation if job else {})


def chosen_by_plan(version: ModelVersion, plan: Mapping[str, Any]) -> dict[str, Any]:
    dataset = dataset_version_found(version.project, plan.get("dataset_version"))
    prompt = prompt_version_found(version.project, plan.get("prompt_version"))
    return {
        **_dataset(dataset),
        **_prompt(prompt),
        **{name: plan.get(name) for name in ("limit", "evaluators", "primary_metric", "slice", "against")},
        "split": plan.get("split") or _held_out_split(dataset),
    }


def _dataset(version: DatasetVersion | None) -> dict[str, str]:
    return {"dataset": version.dataset.slug, "dataset_version": str(version.number)} if version else {}


def _prompt(version: PromptVersion | None) -> dict[str, str]:
    return {"prompt": version.prompt.slug, "prompt_version": str(version.number)} if version else {}


def _held_out_split(dataset: DatasetVersion | None) -> str:
    """The split that is not trained on, of rows that have one that is."""
    splits = splits_of(dataset) if dataset else []
    if not has_train(splits):
        return ""
    held_out = [name for name in splits if name and not part_of(name, has_train=True)]
    validating = [name for name in splits if part_of(name, has_train=True) == VALIDATION]
    return next(iter([name for name in held_out if name == "test"] + held_out + validating), "")
