"""Examples of the project's datasets, to try the settings of an evaluator on."""

from __future__ import annotations

import json
from typing import Any

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets.selectors import dataset_get, dataset_list, examples_of, version_get
from apps.evaluations.models import EvalItem, ItemScore

MOST_OFFERED = 200


def example_choices(project: Project) -> list[tuple[str, str]]:
    """Slug and name of the datasets that an example can be taken from."""
    return list(dataset_list(project=project).order_by("name").values_list("slug", "name")[:MOST_OFFERED])


def trial_example(*, project: Project, dataset: str, number: int) -> dict[str, Any]:
    """Example `number` (from 1) of a dataset's newest version, as the fields of the trial form.

    The output, its measurements and scores are those of the newest result that the project has of it.
    DatasetNotFound, DatasetVersionNotFound, and InvalidInput for a number that is not there.
    """
    version = version_get(dataset=dataset_get(project=project, slug=dataset))
    example = (
        examples_of(version)[number - 1 : number].first() if 0 < number <= version.example_count else None
    )
    if example is None:
        text = f"{version.dataset.name} has examples 1 to {version.example_count:,}."
        raise InvalidInput(text, fields={"number": [text]})
    filled: dict[str, Any] = {"inputs": example.inputs, "reference": _as_typed(example.reference)}
    item = (
        EvalItem.objects.filter(example=example, run__project=project, status="completed")
        .order_by("-answered_at", "-id")
        .first()
    )
    return filled if item is None else filled | _answered(item)


def _answered(item: EvalItem) -> dict[str, Any]:
    scores = ItemScore.objects.filter(item=item, value__isnull=False).order_by("metric")
    return {
        "output": item.output,
        "tool_calls": item.tool_calls or None,
        "latency_s": None if item.latency_ms is None else round(item.latency_ms / 1000, 3),
        "cost_usd": None if item.cost_usd is None else float(item.cost_usd),
        "input_tokens": item.input_tokens,
        "output_tokens": item.output_tokens,
        "scores": {name: round(value or 0.0, 6) for name, value in scores.values_list("metric", "value")}
        or None,
    }


def _as_typed(reference: Any) -> str:
    if reference is None:
        return ""
    return reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False, indent=2)
