"""The column "Thumbs" of the table of a prompt's versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import Sum
from django.urls import reverse

from apps.evaluations.models import RunTally
from apps.evaluations.version_columns import Cell, VersionColumn, version_column_register
from apps.feedback.looking.figures import Share
from apps.prompts.models import Prompt, PromptVersion
from apps.traces.models import SpanScoreTally
from apps.traces.scores import END_USER, HUMAN, THUMB

Counts = tuple[int, float]


def thumbs_column_register() -> None:
    version_column_register(VersionColumn("feedback", "Thumbs up", thumbs_of_versions))


def thumbs_of_versions(prompt: Prompt, versions: Sequence[PromptVersion]) -> Mapping[UUID, Cell]:
    """Share of users' thumbs up with its interval; below, the same of reviewers'. Two queries of tallies."""
    by_users, by_reviewers = _thumbs(prompt, versions)
    cells = {}
    for version in versions:
        users, reviewers = by_users.get(version.pk), by_reviewers.get(version.pk)
        if users is None and reviewers is None:
            continue
        details = [f"n {users.n:,}"] if users else []
        details += [f"reviewers {reviewers.in_words()}, n {reviewers.n:,}"] if reviewers else []
        text = users.in_words() if users else "–"
        cells[version.pk] = Cell(text, "; ".join(details), _address(prompt, version) if users else "")
    return cells


def _thumbs(prompt: Prompt, versions: Sequence[PromptVersion]) -> tuple[dict[UUID, Share], dict[UUID, Share]]:
    """By users and by reviewers: version id → thumbs, of calls and of results of runs."""
    found = SpanScoreTally.objects.filter(
        project=prompt.project_id, prompt_version__in=list(versions), metric=THUMB
    )
    sums: dict[tuple[str, UUID], Counts] = {}
    for row in found.values("source", "prompt_version").annotate(count=Sum("n"), ups=Sum("total")):
        sums[row["source"], row["prompt_version"]] = (row["count"], row["ups"])
    results = RunTally.objects.filter(
        run__prompt_version__in=list(versions), metric=THUMB, source=HUMAN
    ).values("run__prompt_version")
    for result in results.annotate(count=Sum("scored"), ups=Sum("total")):
        key = (HUMAN, result["run__prompt_version"])
        count, ups = sums.get(key, (0, 0.0))
        sums[key] = (count + result["count"], ups + result["ups"])
    shares = {key: Share(round(ups), count - round(ups)) for key, (count, ups) in sums.items() if count}
    return tuple(  # type: ignore[return-value]
        {version: share for (source, version), share in shares.items() if source == wanted}
        for wanted in (END_USER, HUMAN)
    )


def _address(prompt: Prompt, version: PromptVersion) -> str:
    address = reverse("feedback:feedback-list", args=[prompt.project.slug])
    return f"{address}?prompt={prompt.slug}&version={version.number}"
