"""Adding a comparison's examples to a dataset, so that regressions become cases to test against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from apps.core.actor import Actor
from apps.core.models import Project
from apps.datasets.models import Dataset
from apps.datasets.services import Added, NewExample, dataset_create, examples_add
from apps.datasets.services.adding import ORIGIN
from apps.evaluations.comparisons.rows import ComparedRow
from apps.evaluations.comparisons.state import ComparisonState


def default_name(state: ComparisonState) -> str:
    """What a new dataset is called: "regressions of run 12"."""
    return f"regressions of run {state.candidate.number}"


def collecting_datasets(project: Project) -> list[Dataset]:
    """The datasets that examples can be added to, by name."""
    return list(Dataset.objects.filter(project=project, archived_at=None).order_by("name")[:500])


def rows_collect(
    *,
    project: Project,
    by: Actor,
    state: ComparisonState,
    rows: Sequence[ComparedRow],
    dataset: Dataset | None,
    name: str = "",
) -> tuple[Dataset, Added]:
    """Add the rows' examples, each once, to `dataset`, or to a new one called `name`, as its next version.

    Each keeps inputs, reference, metadata and split, and says in its metadata where it came from. Raises
    NameTaken, DatasetArchived, InvalidInput.
    """
    with transaction.atomic():
        if dataset is None:
            dataset = dataset_create(
                project=project,
                by=by,
                name=name,
                description=f"Examples of comparison #{state.comparison.number}, {state.comparison.name}.",
            )
        by_example = {row.item.example_id: row for row in rows}
        added = examples_add(
            dataset=dataset,
            by=by,
            examples=[_example(state, row) for row in by_example.values()],
            note=f"From comparison #{state.comparison.number}: run #{state.candidate.number} "
            f"against run #{state.baseline.number}",
            columns=state.baseline.dataset_version.columns.get("inputs", []),
        )
    return dataset, added


def _example(state: ComparisonState, row: ComparedRow) -> NewExample:
    example = row.item.example
    run = state.baseline if row.baseline is not None else state.candidate
    origin: dict[str, Any] = {
        ORIGIN: run.dataset_version.dataset.slug,
        "from_version": run.dataset_version.number,
        "from_key": example.key,
        "from_comparison": state.comparison.number,
        "from_runs": f"#{state.baseline.number}, #{state.candidate.number}",
    }
    return NewExample(
        key=example.key,
        inputs=example.inputs,
        reference=example.reference,
        metadata={**example.metadata, **origin},
        split=example.split,
    )
