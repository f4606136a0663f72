"""The preview of a training set: every judgement gathered, decided on, measured. Done by a worker.

It begins anew each time it is taken up, so it may be done twice; whoever lost the lease writes no more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.core.errors import ProductError
from apps.feedback.models import TrainingRow, TrainingSet, TrainingSource
from apps.feedback.training_sets.answers import answers_of, corrections_of
from apps.feedback.training_sets.conversations import assistant
from apps.feedback.training_sets.figures import figures_of
from apps.feedback.training_sets.gathering import gather
from apps.feedback.training_sets.lease import LEASE_TO_PREPARE, MOST_CLAIMS, LeaseLost, claim, hold, tries
from apps.feedback.training_sets.naming import refs_of
from apps.feedback.training_sets.recipe import Recipe, read_recipe
from apps.feedback.training_sets.rows import judged_of, rows_of
from apps.feedback.training_sets.sifting import sift, unmark_counted
from apps.feedback.training_sets.tokens import Counter, counter_for

log = logging.getLogger(__name__)
_NAMES_AT_A_TIME = 500
Status = TrainingSet.Status


def preview_run(*, set_id: UUID) -> TrainingSet | None:
    """Make the preview of a set that waits for one. Safe to call twice: None for the loser."""
    training_set = claim(set_id)
    if training_set is None:
        return None
    try:
        if tries(training_set) > MOST_CLAIMS:
            hold(training_set, status=Status.FAILED, status_reason=f"Its workers died {MOST_CLAIMS} times.")
            return training_set
        _preview(training_set)
    except LeaseLost:
        log.info("The training set %s was deleted or taken over", set_id)
        return None
    except ProductError as error:
        hold(training_set, status=Status.FAILED, status_reason=error.detail)
    training_set.refresh_from_db()
    return training_set


def _preview(training_set: TrainingSet) -> None:
    recipe = read_recipe(training_set.settings)
    hold(training_set, lease=LEASE_TO_PREPARE, progress={"stage": "preparing", "done": 0})
    counter = counter_for(recipe.tokenizer)
    began = timezone.now()
    TrainingRow.objects.filter(training_set=training_set).delete()
    TrainingSource.objects.filter(training_set=training_set).delete()
    found = gather(training_set, recipe, told=lambda done: _tell(training_set, "gathering", done))
    _build(_Building(training_set, recipe, counter), found)
    sifted = sift(training_set, recipe, told=lambda: _tell(training_set, "comparing", found))
    figures = figures_of(training_set, recipe) | sifted
    figures["tokens"] |= {"tokenizer": counter.name, "exact": counter.exact}
    figures["gathered_at"], figures["made_at"] = began.isoformat(), timezone.now().isoformat()
    hold(training_set, status=Status.PREVIEWED, figures=figures, progress={})


def _tell(training_set: TrainingSet, stage: str, done: int, of: int | None = None) -> None:
    hold(training_set, progress={"stage": stage, "done": done, "of": of})


@dataclass(frozen=True)
class _Building:
    training_set: TrainingSet
    recipe: Recipe
    counter: Counter


def _build(building: _Building, found: int) -> None:
    """Rows of all judgements, name by name, in the order of names."""
    last, done = "", 0
    while sources := _next_sources(building.training_set, last):
        last = sources[-1].example_key
        done += len(sources)
        with transaction.atomic():
            _tell(building.training_set, "building", done, found)
            _build_some(building, sources)


def _next_sources(training_set: TrainingSet, last: str) -> list[TrainingSource]:
    """All judgements of the next names, in the order of names."""
    sources = TrainingSource.objects.filter(training_set=training_set)
    names = list(
        sources.filter(example_key__gt=last)
        .order_by("example_key")
        .values_list("example_key", flat=True)
        .distinct()[:_NAMES_AT_A_TIME]
    )
    if not names:
        return []
    wanted = sources.filter(example_key__gte=names[0], example_key__lte=names[-1])
    return list(wanted.order_by("example_key", "id"))


def _build_some(building: _Building, sources: Sequence[TrainingSource]) -> None:
    judged = judged_of(sources)
    answers = answers_of(
        building.training_set.project, (ref for each in judged for ref in refs_of(each.name))
    )
    corrections = corrections_of(sources)
    rows: list[TrainingRow] = []
    counted: set[tuple[str, str, str]] = set()
    for each in judged:
        made = rows_of(each, building.training_set.method, building.recipe, answers, corrections)
        rows += made.rows
        counted |= {(each.name, judgement.kind, judgement.source_id) for judgement in made.counted}
    _measure(building, rows)
    TrainingRow.objects.bulk_create(rows, ignore_conflicts=True)
    superseded = [
        source.pk for source in sources if (source.example_key, source.kind, source.source_id) not in counted
    ]
    if superseded:
        unmark_counted(building.training_set, superseded)


def _measure(building: _Building, rows: Sequence[TrainingRow]) -> None:
    """The tokens of each row: of a pair, of its longer side."""
    for row in rows:
        row.training_set = building.training_set
    kept = [row for row in rows if not row.left_out]
    conversations: list[list[dict[str, Any]]] = [[*row.prompt, *assistant(row.answer)] for row in kept]
    conversations += [[*row.prompt, *assistant(row.rejected)] for row in kept if row.rejected]
    counts = building.counter.count(conversations)
    others = iter(counts[len(kept) :])
    for row, count in zip(kept, counts, strict=False):
        row.tokens = max(count, next(others)) if row.rejected else count
