"""The figures of a preview: read from the set's rows and judgements in a handful of queries."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Avg, Count, F, Max, Q, QuerySet

from apps.feedback.models import TrainingRow, TrainingSet, TrainingSource
from apps.feedback.training_sets.recipe import SPLITS, Recipe

BINS = 20
_LENGTHS = """
SELECT percentile_disc(array[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY tokens)
FROM feedback_trainingrow WHERE training_set_id = %s AND left_out = ''
"""


def figures_of(training_set: TrainingSet, recipe: Recipe) -> dict[str, Any]:
    """Counts by source and class, what was left out, lengths, splits and overlaps, as JSON."""
    rows = TrainingRow.objects.filter(training_set=training_set)
    kept = rows.filter(left_out="")
    counts = kept.aggregate(
        rows=Count("id"),
        good=Count("id", filter=Q(label=True)),
        bad=Count("id", filter=Q(label=False)),
        contested=Count("id", filter=Q(contested=True)),
        prompts=Count("prompt_hash", distinct=True),
        prompts_differ=Count("id", filter=Q(origin__has_key="prompts_differ")),
        longer=Count("id", filter=Q(tokens__gt=recipe.max_tokens)),
        longest=Max("tokens"),
        mean_tokens=Avg("tokens"),
    )
    return {
        "rows": counts["rows"],
        "prompts": counts["prompts"],
        "labels": {"good": counts["good"], "bad": counts["bad"]},
        "contested": counts["contested"],
        "prompts_differ": counts["prompts_differ"],
        "judgements": _judgements(training_set),
        "made_from": _counted(kept, "made_from"),
        "left_out": _counted(rows.exclude(left_out=""), "left_out"),
        "splits": {name: _counted(kept, "split").get(name, 0) for name in SPLITS},
        "overlaps": _counted(rows.exclude(overlaps=""), "overlaps"),
        "tokens": _lengths(training_set, kept, counts, recipe),
        "origins": _origins(kept),
    }


def _counted(rows: QuerySet[Any], column: str) -> dict[str, int]:
    found = rows.order_by().values_list(column).annotate(n=Count("id")).order_by("-n", column)
    return dict(found)


def _judgements(training_set: TrainingSet) -> dict[str, Any]:
    sources = TrainingSource.objects.filter(training_set=training_set)
    by_kind: dict[str, dict[str, int]] = {}
    for kind, says, n in sources.values_list("kind", "says").annotate(n=Count("id")).order_by("kind", "says"):
        by_kind.setdefault(kind, {})[says] = n
    totals = sources.aggregate(
        all=Count("id"), counted=Count("id", filter=Q(counted=True)), people=Count("person", distinct=True)
    )
    return {"by_kind": by_kind, **totals}


def _lengths(
    training_set: TrainingSet, kept: QuerySet[TrainingRow], counts: dict[str, Any], recipe: Recipe
) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_LENGTHS, [training_set.pk])
        found = cursor.fetchone()[0] or [0, 0, 0]
    longest = counts["longest"] or 0
    return {
        "p50": found[0],
        "p90": found[1],
        "p99": found[2],
        "max": longest,
        "mean": round(counts["mean_tokens"] or 0, 1),
        "limit": recipe.max_tokens,
        "longer": counts["longer"],
        "bins": _bins(kept, longest),
    }


def _bins(kept: QuerySet[TrainingRow], longest: int) -> list[dict[str, int]]:
    """The distribution of lengths in at most 20 bins of one width, in tokens."""
    if not longest:
        return []
    width = max(1, -(-longest // BINS))
    found = kept.order_by().annotate(bin=(F("tokens") - 1) / width)  # whole numbers, so a whole number
    counts = dict(found.values_list("bin").annotate(n=Count("id")))
    last = (longest - 1) // width
    return [
        {"from": place * width + 1, "to": (place + 1) * width, "rows": counts.get(place, 0)}
        for place in range(last + 1)
    ]


def _origins(kept: QuerySet[TrainingRow]) -> list[dict[str, Any]]:
    """Which prompts, versions and models the rows come from: the 20 most frequent."""
    found = kept.order_by().values_list("origin__prompt", "origin__version", "origin__model")
    return [
        {"prompt": prompt, "version": version, "model": model, "rows": n}
        for prompt, version, model, n in found.annotate(n=Count("id")).order_by("-n")[:20]
    ]
