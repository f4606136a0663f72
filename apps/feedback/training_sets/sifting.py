"""What only the whole set shows: duplicates, contradictions, and overlap with what models are measured on.

All of it in the database, batch by batch: a set may have hundreds of thousands of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from django.db import connection
from django.db.models import Q

from apps.datasets.models import Dataset
from apps.datasets.selectors import examples_at
from apps.evaluations.models import EvalRun
from apps.feedback.models import TrainingRow, TrainingSet, TrainingSource
from apps.feedback.training_sets.conversations import inputs_hash, text_hash
from apps.feedback.training_sets.recipe import KEEP, LEAVE_OUT, Recipe

_EXAMPLES = 2_000
#: A shorter text of an example's inputs ("yes") says nothing of where a question is from.
_SHORTEST = 12

# Of rows that are the same, the first one made stays.
_REPEATED = """
SELECT id FROM (
    SELECT id, row_number() OVER (PARTITION BY {columns} ORDER BY id) AS nth
    FROM feedback_trainingrow WHERE training_set_id = %(set)s AND left_out = ''
) AS numbered WHERE nth > 1
"""
_LEAVE_OUT = "UPDATE feedback_trainingrow SET left_out = %(reason)s, split = '' WHERE id IN ({rows})"
_COUNT = "SELECT count(*) FROM ({rows}) AS found"
_CONTRADICTIONS = """
SELECT id FROM feedback_trainingrow WHERE training_set_id = %(set)s AND left_out = '' AND near_hash IN (
    SELECT near_hash FROM feedback_trainingrow WHERE training_set_id = %(set)s AND left_out = ''
    GROUP BY near_hash HAVING bool_or(label) AND NOT bool_and(label)
)
"""
_NOT_COUNTED = """
UPDATE feedback_trainingsource AS source SET counted = false FROM feedback_trainingrow AS made
WHERE source.training_set_id = %(set)s AND made.training_set_id = %(set)s AND source.counted
  AND made.key = source.example_key AND made.left_out <> ''
"""


def sift(training_set: TrainingSet, recipe: Recipe, *, told: Callable[[], object]) -> dict[str, Any]:
    """Leave out what the recipe says; returns {"duplicates": {"exact", "near"}, "contradictions"}: rows that
    are like an earlier one, whether they were left out or not."""
    figures: dict[str, Any] = {"contradictions": 0}
    told()
    if training_set.method == TrainingSet.Method.KTO:
        drop = "contradiction" if recipe.conflicts != KEEP else ""
        figures["contradictions"] = _found(training_set, _CONTRADICTIONS, drop)
    exact = _found(
        training_set,
        _REPEATED.format(columns="content_hash"),
        "duplicate" if recipe.duplicates == LEAVE_OUT else "",
    )
    told()
    alike = _found(
        training_set,
        _REPEATED.format(columns="near_hash, label"),
        "near_duplicate" if recipe.near_duplicates == LEAVE_OUT else "",
    )
    near = alike if recipe.duplicates == LEAVE_OUT else alike - exact
    mark_overlaps(training_set, told=told)
    if recipe.overlaps == LEAVE_OUT:
        _kept(training_set).exclude(overlaps="").update(left_out="overlap", split="")
    if recipe.longer == LEAVE_OUT:
        _kept(training_set).filter(tokens__gt=recipe.max_tokens).update(left_out="too_long", split="")
    with connection.cursor() as cursor:
        cursor.execute(_NOT_COUNTED, {"set": training_set.pk})
    return figures | {"duplicates": {"exact": exact, "near": near}}


def _kept(training_set: TrainingSet) -> Any:
    return TrainingRow.objects.filter(training_set=training_set, left_out="")


def _found(training_set: TrainingSet, rows: str, reason: str) -> int:
    """How many rows a query finds; they are left out where a reason is given."""
    with connection.cursor() as cursor:
        if reason:
            cursor.execute(_LEAVE_OUT.format(rows=rows), {"set": training_set.pk, "reason": reason})
            return int(cursor.rowcount)
        cursor.execute(_COUNT.format(rows=rows), {"set": training_set.pk})
        return int(cursor.fetchone()[0])


def mark_overlaps(training_set: TrainingSet, *, told: Callable[[], object]) -> None:
    """Name the evaluation dataset on each row whose inputs, or whose one question, it holds too.

    Evaluation datasets are those that a run of the project was made on, as they are now.
    """
    for dataset in evaluation_datasets(training_set):
        examples = _examples_now(dataset)
        while batch := list(islice(examples, _EXAMPLES)):
            by_inputs = {inputs_hash(inputs) for inputs in batch} - {""}
            by_question = {
                text_hash(text)
                for inputs in batch
                for text in inputs.values()
                if isinstance(text, str) and len(text.strip()) >= _SHORTEST
            }
            same = Q(inputs_hash__in=by_inputs) | Q(question_hash__in=by_question)
            _kept(training_set).filter(same, overlaps="").update(overlaps=dataset.slug)
            told()


def evaluation_datasets(training_set: TrainingSet) -> list[Dataset]:
    """Datasets that the project's runs were made on; not those that were made for training."""
    runs = EvalRun.objects.filter(project_id=training_set.project_id)
    for_training = TrainingSet.objects.filter(
        project_id=training_set.project_id, dataset_version__isnull=False
    ).values("dataset_version__dataset")
    return list(
        Dataset.objects.filter(pk__in=runs.values("dataset_version__dataset"))
        .exclude(pk__in=for_training)
        .order_by("slug")
    )


def _examples_now(dataset: Dataset) -> Iterator[dict[str, Any]]:
    latest = dataset.versions.order_by("-number").first()
    if latest is None:
        return iter(())
    rows = examples_at(dataset.pk, latest.number).order_by("position", "id")
    return (
        inputs
        for inputs in rows.values_list("inputs", flat=True).iterator(chunk_size=_EXAMPLES)
        if isinstance(inputs, dict)
    )


def unmark_counted(training_set: TrainingSet, sources: list[int]) -> None:
    """Judgements that others stand in place of: they count for nothing, and stay in the lineage."""
    TrainingSource.objects.filter(training_set=training_set, pk__in=sources).update(counted=False)
