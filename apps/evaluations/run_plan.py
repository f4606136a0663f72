"""Choosing and freezing what a run does: the examples, the parameters, the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from apps.datasets.models import DatasetVersion, Example
from apps.datasets.selectors import examples_of
from apps.evaluations.errors import InvalidInput, NothingToRun, VariablesMissing
from apps.evaluations.evaluators import kind
from apps.evaluations.models import EvalRun, EvaluatorVersion
from apps.prompts.models import PromptVersion
from apps.prompts.rendering import variables_of


@dataclass(frozen=True)
class ExampleChoice:
    """Which examples of a dataset version take part, in the dataset's order.

    `filter` holds metadata columns with the value each must have.
    """

    limit: int | None = None
    split: str = ""
    filter: dict[str, Any] = field(default_factory=dict)


def chosen_examples(version: DatasetVersion, choice: ExampleChoice) -> QuerySet[Example]:
    """The examples that take part. Raises NothingToRun when there is none."""
    examples = examples_of(version).order_by("position", "id")
    if choice.split:
        examples = examples.filter(split=choice.split)
    if choice.filter:
        examples = examples.filter(metadata__contains=choice.filter)
    if choice.limit is not None:
        examples = examples[: choice.limit]
    if not examples.exists():
        raise NothingToRun(_why_nothing(version, choice), fields={"dataset": ["No example is left to run."]})
    return examples


def _why_nothing(version: DatasetVersion, choice: ExampleChoice) -> str:
    if version.example_count == 0:
        return f"The dataset {version.dataset.name} is empty. Import examples first."
    chosen = ", ".join(
        [f"split {choice.split!r}"] * bool(choice.split)
        + [f"{name} = {value!r}" for name, value in choice.filter.items()]
    )
    return f"No example of {version.dataset.name} version {version.number} has {chosen}."


def check_variables(prompt_version: PromptVersion, version: DatasetVersion) -> None:
    """Raises VariablesMissing when the prompt uses a variable that no example of the dataset has."""
    columns = version.columns.get("inputs", [])
    variables = variables_of(prompt_version.messages, prompt_version.includes)
    needed = [variable.name for variable in variables if not variable.optional]
    missing = [name for name in needed if name not in columns]
    if missing:
        names = ", ".join(missing)
        have = ", ".join(columns) or "none"
        raise VariablesMissing(
            f"The prompt uses {names}, which the dataset {version.dataset.name} version {version.number} "
            f"does not have as an input (it has: {have}). Rename the variable in the prompt, or import the "
            "dataset with that column as an input.",
            fields={"dataset": [f"Lacks the input {name}." for name in missing]},
            missing=missing,
        )


def frozen_metrics(versions: Sequence[EvaluatorVersion]) -> list[dict[str, Any]]:
    """What each evaluator version measures, as kept in the run's plan, in the order given."""
    return [
        asdict(spec) | {"evaluator_version": str(version.pk), "evaluator": version.evaluator.name}
        for version in versions
        for spec in kind(version.evaluator.kind).metrics_of(version.evaluator.slug)
    ]


def check_primary(name: str, metrics: Sequence[dict[str, Any]], *, recorded: bool) -> None:
    """Raises InvalidInput when the primary metric is none of the evaluators' (`frozen_metrics`).

    A recorded run may name one whose scores are posted later.
    """
    names = [spec["name"] for spec in metrics]
    if not name or name in names or recorded:
        return
    have = ", ".join(names) or "none: choose evaluators first"
    text = f"The chosen evaluators do not measure {name!r}; their metrics: {have}."
    raise InvalidInput(text, fields={"primary_metric": [text]})


def planned_primary(run: EvalRun) -> str:
    """The primary metric that was chosen before the run; "" where none was."""
    return str(run.plan.get("primary_metric") or "")


def insert_items(run: EvalRun, examples: QuerySet[Example]) -> int:
    """Write one pending item per example and repetition, inside the database; returns how many."""
    chosen, params = examples.values("id", "key", "position").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO evaluations_evalitem
                (id, created_at, run_id, example_id, example_key, position, repetition, status, attempts,
                 stage, scoring_attempts, cached, rendered, output, tool_calls, finish_reason, error_kind,
                 error)
            SELECT gen_random_uuid(), now(), %s, id, key, place, repetition, 'pending', 0,
                   0, 0, false, '[]', '', '[]', '', '', ''
            FROM (
                SELECT id, key, row_number() OVER (ORDER BY position, id) AS place FROM ({chosen}) AS chosen
            ) AS numbered
            CROSS JOIN generate_series(1, %s) AS repetition
            """,  # noqa: S608  # the inner statement is the ORM's, its values are parameters
            [run.pk, *params, run.repetitions],
        )
        return int(cursor.rowcount)
