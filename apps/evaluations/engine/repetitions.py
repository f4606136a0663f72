"""Scoring what an example's repetitions have to do with each other, when the run has ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from uuid import UUID

from apps.evaluations.engine.results import scores_store
from apps.evaluations.engine.scoring import scores_of
from apps.evaluations.evaluators import Outcome, ScoringInput, kind
from apps.evaluations.models import EvalItem, EvalRun, EvaluatorVersion

CHUNK = 1_000


def score_repetitions(run: EvalRun, versions: Sequence[EvaluatorVersion]) -> None:
    """Score every completed item by how the outputs of its example agree."""
    if not versions:
        return
    for examples in _chunks(run):
        for version in versions:
            scored = [pair for outputs in examples for pair in _scored(version, outputs)]
            scores_store(
                [score for item_id, outcome in scored for score in scores_of(version, item_id, outcome)]
            )


def _scored(version: EvaluatorVersion, outputs: Sequence[tuple[UUID, str]]) -> list[tuple[UUID, Outcome]]:
    of_repetitions = kind(version.evaluator.kind).of_repetitions
    assert of_repetitions is not None
    outcomes = of_repetitions([ScoringInput({}, output) for _, output in outputs], version.config)
    return [(item_id, outcome) for (item_id, _), outcome in zip(outputs, outcomes, strict=True)]


def _chunks(run: EvalRun) -> Iterator[list[list[tuple[UUID, str]]]]:
    """The outputs of each example, streamed, many examples at a time."""
    rows = (
        EvalItem.objects.filter(run=run, status="completed")
        .order_by("position", "repetition")
        .values_list("position", "id", "output")
        .iterator(chunk_size=CHUNK)
    )
    chunk: list[list[tuple[UUID, str]]] = []
    for _, of_example in groupby(rows, key=lambda row: row[0]):
        chunk.append([(item_id, output) for _, item_id, output in of_example])
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
