"""A prompt's versions as the workbench's left column shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from apps.evaluations.models import EvalRun, RunMetric
from apps.evaluations.run_plan import planned_primary
from apps.evaluations.selectors import asks_own_model
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.selectors import MAX_SEARCH_CHARS, version_history

PAGE = 50


@dataclass(frozen=True, slots=True)
class LastScore:
    """The version's newest finished run, of its own model where there is one; of its metrics the primary one,
    else its first."""

    run: EvalRun
    metric: RunMetric


@dataclass(frozen=True, slots=True)
class TimelineRow:
    version: PromptVersion
    labels: list[str]
    score: LastScore | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One page of versions, newest first; `before` asks for the next page, None when there is none."""

    rows: list[TimelineRow]
    before: int | None


def timeline_of(*, prompt: Prompt, search: str = "", before: int | None = None) -> Timeline:
    """The versions before number `before` whose text, note, author, label or number `search` finds."""
    versions = version_history(prompt=prompt)
    words = search.replace("\x00", "")[:MAX_SEARCH_CHARS].strip()
    if words:
        found = Q(search_text__icontains=words) | Q(author_label__icontains=words)
        found |= Q(pk__in=prompt.labels.filter(name__icontains=words).values("version"))
        number = words.removeprefix("#")
        if number.isascii() and number.isdigit() and len(number) < 10:
            found |= Q(number=int(number))
        versions = versions.filter(found)
    if before is not None:
        versions = versions.filter(number__lt=before)
    page = list(versions[: PAGE + 1])
    rows = page[:PAGE]
    scores = _last_scores(rows)
    return Timeline(
        rows=[
            TimelineRow(version, sorted(label.name for label in version.labels.all()), scores.get(version.pk))
            for version in rows
        ],
        before=rows[-1].number if len(page) > PAGE else None,
    )


def _last_scores(versions: Sequence[PromptVersion]) -> dict[UUID | None, LastScore]:
    runs = (
        EvalRun.objects.filter(
            prompt_version__in=versions, status=EvalRun.Status.COMPLETED, finalized_at__isnull=False
        )
        .annotate(own=asks_own_model())
        .order_by("prompt_version_id", "-own", "-number")
        .distinct("prompt_version_id")
    )
    metrics: dict[UUID, list[RunMetric]] = {}
    for metric in RunMetric.objects.filter(run__in=list(runs), mean__isnull=False).order_by("pk"):
        metrics.setdefault(metric.run_id, []).append(metric)
    return {
        run.prompt_version_id: LastScore(run, _primary(run, metrics[run.pk]))
        for run in runs
        if run.pk in metrics
    }


def _primary(run: EvalRun, metrics: Sequence[RunMetric]) -> RunMetric:
    planned = planned_primary(run)
    return next((metric for metric in metrics if metric.name == planned), metrics[0])
