"""The figures of a comparison: reading what workers made of it, and asking for what is not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from apps.evaluations.comparing.columns import SPLIT as SPLIT
from apps.evaluations.comparing.made_of import made_of
from apps.evaluations.comparisons.selectors import runs_of
from apps.evaluations.engine.dispatch import enqueue_figures
from apps.evaluations.models import Comparison, ComparisonFigures, EvalRun

Part = ComparisonFigures.Part
#: The metric that votes are.
PREFERENCE = "preference"
#: A worker is asked again when none has come for this long.
ASK_AGAIN = timedelta(seconds=60)
#: What could not be made is tried again by who looks after this long: its cause may be gone by then.
TRY_AGAIN = timedelta(minutes=10)
#: Parts of one comparison that workers are asked for at a time, so that nobody fills their queue by asking
#: for column after column; who waits for a further one asks again.
MOST_WAITING = 12
LONGEST_COLUMN = 200


@dataclass(frozen=True, slots=True)
class FiguresState:
    """One part of a comparison's figures as it stands.

    `waiting`: it is being made, or runs are unfinished, so that asking again soon makes sense. `stale`: what
    is there was made of an older state of the runs. `unfinished` are the runs it waits for; of those that
    have ended it may be there already (`settled`). `failed`: a worker could not make it, for the reason in
    `error`; it can be tried again.
    """

    figures: dict[str, Any] | None
    error: str
    waiting: bool
    stale: bool
    unfinished: list[EvalRun]
    failed: bool = False

    @property
    def settled(self) -> bool:
        """Whether it is there of the runs as they are, even if some are still running."""
        return (self.figures is not None or self.failed) and not self.stale


def runs_ended(runs: Sequence[EvalRun], baseline: EvalRun) -> list[EvalRun]:
    """The runs that figures can be made of: the baseline and the candidates that have ended; none where
    the baseline itself has not, or no candidate.
    """
    ended = [run for run in runs if run.finalized_at is not None and run.pk != baseline.pk]
    known = next((run for run in runs if run.pk == baseline.pk), baseline)
    return [known, *ended] if ended and known.finalized_at is not None else []


def figures_state(comparison: Comparison, baseline: EvalRun, part: str, column: str = "") -> FiguresState:
    """What is there of a part measured against `baseline`; a worker is asked for what is not.

    `column` names the metadata column (or "@split") that slices are made by, or that examples come in groups
    of. The number of queries depends neither on rows nor on runs.
    """
    runs = runs_of(comparison)
    unfinished = [run for run in runs if run.finalized_at is None]
    if column and column not in columns_of(comparison):
        return FiguresState(None, f"The dataset has no metadata column {column!r}.", False, False, [])
    kept = comparison.figures.filter(baseline=baseline, part=part, column=column).first()
    figures, error = (kept.figures, kept.error) if kept else (None, "")
    old = FiguresState(figures, "", waiting=True, stale=figures is not None, unfinished=unfinished)
    if not runs_ended(runs, baseline):
        return old
    if kept is not None and kept.made_of == made_of(comparison, runs) and not _to_try_again(kept):
        return FiguresState(figures, error, bool(unfinished), False, unfinished, failed=bool(error))
    figures_ask(comparison, baseline.pk, part=part, column=column)
    return old


def figures_again(comparison: Comparison) -> None:
    """Have workers try again whatever of the comparison they could not make. Safe to ask twice."""
    for kept in comparison.figures.filter(asked_at=None).exclude(error="").order_by("id"):
        figures_ask(comparison, kept.baseline_id, part=kept.part, column=kept.column)


def _to_try_again(kept: ComparisonFigures) -> bool:
    """Whether it could not be made, and somebody asked for it once more or some time has passed."""
    late = kept.made_at is None or kept.made_at < timezone.now() - TRY_AGAIN
    return bool(kept.error) and (kept.asked_at is not None or late)


def figures_ask(
    comparison: Comparison,
    baseline_id: UUID,
    *,
    part: str = Part.METRICS,
    column: str = "",
    anew: bool = False,
) -> None:
    """Have a worker make a part; once, and again only when nobody has come for a minute, or `anew`.

    Nobody is asked for a further one while MOST_WAITING parts of the comparison wait.
    """
    now = timezone.now()
    of_it = {"comparison": comparison, "baseline_id": baseline_id, "part": part, "column": column}
    if column and not anew:
        waiting = ComparisonFigures.objects.filter(comparison=comparison, asked_at__isnull=False)
        if waiting.count() >= MOST_WAITING and not waiting.filter(**of_it).exists():
            return
    kept, new = ComparisonFigures.objects.get_or_create(**of_it, defaults={"asked_at": now})
    if not new:
        unasked = Q() if anew else Q(asked_at=None) | Q(asked_at__lt=now - ASK_AGAIN)
        new = bool(ComparisonFigures.objects.filter(unasked, pk=kept.pk).update(asked_at=now))
    if new:
        enqueue_figures(kept)


def columns_of(comparison: Comparison) -> list[str]:
    """The metadata columns that examples can be told apart by, and "@split" where there are splits.

    Without names that are too long to be kept with the figures.
    """
    columns = comparison.baseline.dataset_version.columns
    named = [name for name in columns.get("metadata", []) if len(name) <= LONGEST_COLUMN]
    return [*named, *([SPLIT] if columns.get("splits") else [])]


def metrics_against(figures: dict[str, Any] | None, candidate: EvalRun) -> list[dict[str, Any]]:
    """The candidate's metrics in part "metrics"; none before they are made."""
    entry = entry_for(figures, candidate)
    return entry["metrics"] if entry else []


def entry_for(figures: dict[str, Any] | None, candidate: EvalRun) -> dict[str, Any] | None:
    """What a part says of one candidate; None before it is made, and for the baseline itself."""
    entries = (figures or {}).get("candidates", [])
    return next((entry for entry in entries if entry["run"] == str(candidate.pk)), None)


def unpaired_of(figures: dict[str, Any] | None, candidate: EvalRun) -> dict[str, int]:
    """How many examples only one of the two runs was to answer: changed, only_baseline, only_candidate."""
    return dict((entry_for(figures, candidate) or {}).get("unpaired") or {})


def figures_of_list(comparisons: Iterable[Comparison]) -> dict[UUID, dict[str, Any] | None]:
    """Part "metrics" of each comparison, as it is kept, against its own baseline. One query."""
    kept = kept_of_list(comparisons)
    return {pk: row.figures if row else None for pk, row in kept.items()}


def kept_of_list(comparisons: Iterable[Comparison]) -> dict[UUID, ComparisonFigures | None]:
    """The same with what is known of it: whether it failed, and when it was made."""
    ids = [comparison.pk for comparison in comparisons]
    own = ComparisonFigures.objects.filter(
        comparison__in=ids, baseline=F("comparison__baseline"), part=Part.METRICS, column=""
    )
    return {**dict.fromkeys(ids), **{row.comparison_id: row for row in own}}
