"""Shares of thumbs up with their uncertainty, from tallies alone: they cost the same for a million votes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.utils import timezone

from apps.core.models import Project
from apps.evaluations.statistics.intervals import wilson_interval
from apps.feedback.models import FeedbackTally
from apps.prompts.models import Prompt, PromptVersion

RANGES = (7, 30, 90, 365)
USUAL_DAYS = 30
#: Beyond this many days, a point of the figure is a week.
MOST_SINGLE_DAYS = 45
MOST_VERSIONS = 100
MOST_SERIES = 4


@dataclass(frozen=True, slots=True)
class Share:
    """Thumbs up among all thumbs, with Wilson's 95% interval; None where there is no thumb."""

    ups: int
    downs: int

    @property
    def n(self) -> int:
        return self.ups + self.downs

    @property
    def value(self) -> float | None:
        return self.ups / self.n if self.n else None

    @property
    def ends(self) -> tuple[float, float] | None:
        return wilson_interval(self.ups / self.n, self.n) if self.n else None

    def in_words(self) -> str:
        """ "82% [78%, 86%]"."""
        if self.value is None or self.ends is None:
            return "–"
        return f"{self.value:.0%} [{self.ends[0]:.0%}, {self.ends[1]:.0%}]"


@dataclass(frozen=True, slots=True)
class Change:
    """How a share differs from an earlier one, with Newcombe's 95% interval."""

    difference: float
    low: float
    high: float

    @property
    def tone(self) -> str:
        """How sure it is: "better", "worse" or "open"."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "open"

    def in_words(self) -> str:
        """In percentage points: "+4 [−1, +9]"."""
        return f"{_points(self.difference)} [{_points(self.low)}, {_points(self.high)}]"


def change_of(now: Share, before: Share) -> Change | None:
    """Newcombe (1998), method 10: from both shares' Wilson intervals. None where one has no thumbs."""
    if now.value is None or before.value is None or now.ends is None or before.ends is None:
        return None
    difference = now.value - before.value
    down = math.hypot(now.value - now.ends[0], before.ends[1] - before.value)
    up = math.hypot(now.ends[1] - now.value, before.value - before.ends[0])
    return Change(difference, difference - down, difference + up)


def _points(value: float) -> str:
    rounded = round(value * 100)
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else '±'}{abs(rounded)}"


@dataclass(frozen=True, slots=True)
class VersionFeedback:
    """What was said of one version (None: of answers whose version is not known)."""

    prompt: Prompt | None
    version: PromptVersion | None
    share: Share
    change: Change | None
    given: int
    corrections: int
    pending: int
    flagged: int


@dataclass(frozen=True, slots=True)
class Reason:
    reason: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Point:
    """A day, or the week that begins with it."""

    day: date
    share: Share


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    points: list[Point]


_COUNTS = ("n", "ups", "downs", "corrections", "pending", "flagged")
_SUMS: dict[str, Any] = {f"{name}_sum": Sum(name) for name in _COUNTS}


def tallies(*, project: Project, prompt: Prompt | None, days: int) -> QuerySet[FeedbackTally]:
    """Those of the last `days` days, today (UTC) included."""
    since = timezone.now().date() - timedelta(days=days - 1)
    found = FeedbackTally.objects.filter(project=project, day__gte=since)
    return found.filter(prompt=prompt) if prompt else found


def version_table(found: QuerySet[FeedbackTally]) -> list[VersionFeedback]:
    """A row for each version that was judged, by prompt, newest version first. Three queries."""
    counted: Any = found.values("prompt", "prompt_version").annotate(**_SUMS)
    sums = {(row["prompt"], row["prompt_version"]): row for row in counted if row["n_sum"] > 0}
    versions = PromptVersion.objects.only("number", "prompt_id", "commit_message").in_bulk(
        [version for _, version in sums if version]
    )
    prompts = Prompt.objects.in_bulk({prompt for prompt, _ in sums if prompt})

    def place(key: tuple[UUID | None, UUID | None]) -> tuple[str, int]:
        prompt, version = key
        name = prompts[prompt].name.casefold() if prompt in prompts else "\uffff"
        return name, -versions[version].number if version in versions else 1

    ordered = sorted(sums, key=place)[:MOST_VERSIONS]
    rows = []
    for index, key in enumerate(ordered):
        before = ordered[index + 1] if index + 1 < len(ordered) else None
        same = before is not None and before[0] == key[0] is not None and before[1] is not None
        row, share = sums[key], _share(sums[key])
        rows.append(
            VersionFeedback(
                prompt=prompts.get(key[0]),
                version=versions.get(key[1]),
                share=share,
                change=change_of(share, _share(sums[before])) if same and before else None,
                given=row["n_sum"],
                corrections=row["corrections_sum"],
                pending=row["pending_sum"],
                flagged=row["flagged_sum"],
            )
        )
    return rows


def _share(row: Mapping[str, int]) -> Share:
    return Share(row["ups_sum"], row["downs_sum"])


def reasons_counted(found: QuerySet[FeedbackTally], most: int = 12) -> list[Reason]:
    """Why thumbs were down, most often first; "" is without a reason."""
    rows = (
        found.values("reason").annotate(count=Sum("downs")).filter(count__gt=0).order_by("-count", "reason")
    )
    kept = list(rows[:most])
    whole = sum(row["count"] for row in kept)
    return [Reason(row["reason"], row["count"], row["count"] / whole) for row in kept]


def over_time(
    found: QuerySet[FeedbackTally], table: Sequence[VersionFeedback], *, days: int, by_version: bool
) -> list[Series]:
    """A series for each of the newest versions (of one prompt), or one of everything."""
    wanted = [row.version for row in table if row.version and row.share.n][:MOST_SERIES] if by_version else []
    if not wanted:
        rows: Any = found.values("day").annotate(**_SUMS).order_by("day")
        return [Series("All feedback", _points_of(rows, days))]
    per_version: Any = (
        found.filter(prompt_version__in=wanted).values("prompt_version", "day").annotate(**_SUMS)
    )
    by_id: dict[UUID, list[Mapping[str, Any]]] = {version.pk: [] for version in wanted}
    for row in per_version.order_by("day"):
        by_id[row["prompt_version"]].append(row)
    return [
        Series(f"Version {version.number}", _points_of(by_id[version.pk], days))
        for version in reversed(wanted)
    ]


def _points_of(rows: Iterable[Mapping[str, Any]], days: int) -> list[Point]:
    sums: dict[date, list[int]] = {}
    for row in rows:
        day: date = row["day"]
        begins = day if days <= MOST_SINGLE_DAYS else day - timedelta(days=day.weekday())
        kept = sums.setdefault(begins, [0, 0])
        kept[0] += row["ups_sum"]
        kept[1] += row["downs_sum"]
    return [Point(day, Share(ups, downs)) for day, (ups, downs) in sorted(sums.items()) if ups + downs]
