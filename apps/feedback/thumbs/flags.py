"""Looking for what is no honest feedback: bursts, and voters who vote against everybody.

Done by the workers for each vote once, and again when it is changed. A piece of work takes a few hundred
votes and reads for each at most some hundreds of rows of an index, however large the table is:

- burst: more than `SUBJECT_BURST` answers judged by one subject within a minute, or more than `ADDRESS_BURST`
  from one network address of browsers; or a wave: more than `WAVE` votes on one prompt version within ten
  minutes, and more than `WAVE_TIMES` of what it had in ten minutes before.
- outlier: of at least `OUTLIER_VOTES` votes of a subject nearly all go one way, while others vote so
  differently on the same prompt versions that this is no chance: their latest votes give the share of thumbs
  up to be expected, and the sum is more than `OUTLIER_SIGMAS` standard deviations off (normal approximation
  of the Poisson binomial distribution).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.feedback.models import Feedback
from apps.feedback.thumbs.configuration import taking_of
from apps.feedback.thumbs.rules import rule_apply

AT_ONCE = 300
SUBJECT_BURST, ADDRESS_BURST = 15, 60
WAVE, WAVE_TIMES, WAVE_BEFORE = 50, 5.0, 200
_WAVE_WITHIN_S = 600
OUTLIER_VOTES, OUTLIER_SIGMAS, OUTLIER_SHARE = 20, 5.0, 0.95
_LATEST = 200
#: What was given with the flagged votes, in the same burst, is flagged too, so far back.
_FLAG_BACK = 500
MINUTE_MS, WAVE_MS = 60_000, 1000 * _WAVE_WITHIN_S

# A version 7 UUID begins with the milliseconds of its making: `floor_id` is the least of a moment.
_FLOOR = "lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint - {ms}), 12, '0') || repeat('0', 20)"


def _floor_id(at: str, ms: int) -> str:
    return f"({_FLOOR.format(at=at, ms=ms)})::uuid"


# Votes around the one at hand: those of the minute before it, itself included.
_SUBJECT_BURSTS = f"""
SELECT one.id FROM feedback_feedback AS one WHERE one.id = ANY(%(ids)s) AND %(most)s < (
  SELECT count(*) FROM (SELECT 1 FROM feedback_feedback AS near
    WHERE near.project_id = one.project_id AND near.subject = one.subject
      AND near.id > {_floor_id("one.created_at", MINUTE_MS)} AND near.id <= one.id
    LIMIT %(most)s + 1) AS counted)
"""  # noqa: S608  constants only
_ADDRESS_BURSTS = f"""
SELECT one.id FROM feedback_feedback AS one
WHERE one.id = ANY(%(ids)s) AND one.origin <> '' AND one.address <> '' AND %(most)s < (
  SELECT count(*) FROM (SELECT 1 FROM feedback_feedback AS near
    WHERE near.project_id = one.project_id AND near.address = one.address AND near.origin <> ''
      AND near.id > {_floor_id("one.created_at", MINUTE_MS)} AND near.id <= one.id
    LIMIT %(most)s + 1) AS counted)
"""  # noqa: S608
# Of each version: the votes of the last ten minutes against those just before them, as a rate.
_WAVES = f"""
SELECT version.id
FROM (SELECT one.prompt_version_id AS id, max(one.created_at) AS latest FROM feedback_feedback AS one
  WHERE one.id = ANY(%(ids)s) AND one.prompt_version_id IS NOT NULL GROUP BY 1) AS version,
LATERAL (SELECT count(*) AS votes FROM (SELECT 1 FROM feedback_feedback AS near
  WHERE near.prompt_version_id = version.id AND near.id > {_floor_id("version.latest", WAVE_MS)}
  LIMIT 5000) AS counted) AS now,
LATERAL (SELECT count(*) AS votes, version.latest - min(earlier.created_at) AS took
  FROM (SELECT near.created_at FROM feedback_feedback AS near
    WHERE near.prompt_version_id = version.id AND near.id <= {_floor_id("version.latest", WAVE_MS)}
    ORDER BY near.id DESC LIMIT %(before)s) AS earlier) AS before
WHERE now.votes > %(wave)s AND before.votes = %(before)s
  AND now.votes > %(times)s * before.votes * %(within)s / greatest(extract(epoch FROM before.took), 1)
"""  # noqa: S608
# Of each subject its latest thumbs, against what others say lately of the same versions.
_OUTLIERS = """
WITH voter AS (
  SELECT DISTINCT one.project_id, one.subject FROM feedback_feedback AS one
  WHERE one.id = ANY(%(ids)s) AND one.thumb IS NOT NULL
), vote AS (
  SELECT voter.subject, voter.project_id, own.prompt_version_id, (own.thumb = 1)::int AS up
  FROM voter, LATERAL (SELECT given.thumb, given.prompt_version_id FROM feedback_feedback AS given
    WHERE given.project_id = voter.project_id AND given.subject = voter.subject
    ORDER BY given.id DESC LIMIT %(latest)s) AS own
  WHERE own.thumb IS NOT NULL AND own.prompt_version_id IS NOT NULL
), version AS (
  SELECT subject, prompt_version_id, count(*) AS votes, sum(up) AS ups FROM vote GROUP BY 1, 2
), enough AS (
  SELECT subject FROM version GROUP BY 1
  HAVING sum(votes) >= %(votes)s AND greatest(sum(ups), sum(votes) - sum(ups)) >= %(share)s * sum(votes)
), expected AS (
  SELECT version.subject, version.votes, version.ups, others.up
  FROM version JOIN enough USING (subject), LATERAL (
    SELECT avg((lately.thumb = 1)::int)::float AS up, count(*) AS n FROM (
      SELECT given.thumb, given.subject FROM feedback_feedback AS given
      WHERE given.prompt_version_id = version.prompt_version_id
      ORDER BY given.id DESC LIMIT %(latest)s) AS lately
    WHERE lately.thumb IS NOT NULL AND lately.subject <> version.subject) AS others
  WHERE others.n >= %(votes)s
)
SELECT subject FROM expected GROUP BY 1
HAVING sum(votes) >= %(votes)s
  AND abs(sum(ups) - sum(votes * up)) > %(sigmas)s * sqrt(greatest(sum(votes * up * (1 - up)), 0.25))
"""


def votes_look() -> int:
    """Look at some hundreds of votes that nobody looked at yet, flag them, and let through what the rule of
    their project lets through; how many they were. Two at once take different ones."""
    with transaction.atomic():
        waiting = Feedback.objects.filter(looked_at=None).order_by("id")
        rows = list(
            waiting.select_for_update(skip_locked=True, of=("self",)).values_list("id", "project_id")[
                :AT_ONCE
            ]
        )
        ids = [id for id, _ in rows]
        if not ids:
            return 0
        _flag_bursts(ids)
        _flag_waves(ids)
        _flag_outliers(ids)
        Feedback.objects.filter(pk__in=ids).update(looked_at=timezone.now())
        for project_id in {project for _, project in rows}:
            _apply_rule(project_id, ids)
    return len(ids)


def _apply_rule(project_id: UUID, ids: Sequence[UUID]) -> None:
    taking = taking_of(project_id)
    if taking is None or not taking.rule.on:
        return
    spans = Feedback.objects.filter(pk__in=ids, project_id=project_id).values_list("span_id", flat=True)
    rule_apply(project_id=project_id, rule=taking.rule, span_ids=list(spans))


def _found(statement: str, **values: object) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)  # type: ignore[arg-type]
        return [row[0] for row in cursor.fetchall()]


def _flag_bursts(ids: Sequence[UUID]) -> None:
    """The votes themselves, and those of the same minute before them."""
    _flag_with_earlier(_found(_SUBJECT_BURSTS, ids=list(ids), most=SUBJECT_BURST), "subject")
    _flag_with_earlier(_found(_ADDRESS_BURSTS, ids=list(ids), most=ADDRESS_BURST), "address")


def _flag_with_earlier(found: Sequence[UUID], by: str) -> None:
    if not found:
        return
    groups: dict[tuple[UUID, str], list[Feedback]] = {}
    for vote in Feedback.objects.filter(pk__in=found).only("id", "project_id", by, "created_at"):
        groups.setdefault((vote.project_id, getattr(vote, by)), []).append(vote)
    flagged: list[UUID] = []
    for (project_id, name), votes in groups.items():
        since = min(vote.created_at for vote in votes) - timedelta(minutes=1)
        near = Feedback.objects.filter(project_id=project_id, **{by: name}).order_by("-id")
        if by == "address":
            near = near.exclude(origin="")
        latest = near.filter(id__lte=max(vote.pk for vote in votes)).values_list("id", "created_at")
        flagged += [id for id, at in latest[:_FLAG_BACK] if at >= since]
    _flag(flagged, Feedback.Flag.BURST)


def _flag_waves(ids: Sequence[UUID]) -> None:
    found = _found(
        _WAVES, ids=list(ids), wave=WAVE, before=WAVE_BEFORE, times=WAVE_TIMES, within=_WAVE_WITHIN_S
    )
    since = timezone.now() - timedelta(seconds=2 * _WAVE_WITHIN_S)
    flagged: list[UUID] = []
    for version_id in found:
        latest = Feedback.objects.filter(prompt_version=version_id).order_by("-id")
        rows = latest.values_list("id", "created_at")[: _FLAG_BACK + len(ids)]
        flagged += [id for id, at in rows if at >= since]
    _flag(flagged, Feedback.Flag.BURST)


def _flag_outliers(ids: Sequence[UUID]) -> None:
    found = _found(
        _OUTLIERS,
        ids=list(ids),
        votes=OUTLIER_VOTES,
        latest=_LATEST,
        share=OUTLIER_SHARE,
        sigmas=OUTLIER_SIGMAS,
    )
    flagged: list[UUID] = []
    for project_id, subject in set(
        Feedback.objects.filter(pk__in=ids, subject__in=found).values_list("project_id", "subject")
    ):
        own = Feedback.objects.filter(project_id=project_id, subject=subject).order_by("-id")
        flagged += own.values_list("id", flat=True)[:_LATEST]
    _flag(flagged, Feedback.Flag.OUTLIER)


_FLAG = """
UPDATE feedback_feedback SET flags = array_append(flags, %(flag)s),
  state = CASE WHEN decided_by = 'rule' THEN 'pending' ELSE state END,
  decided_at = CASE WHEN decided_by = 'rule' THEN NULL ELSE decided_at END,
  decided_by = CASE WHEN decided_by = 'rule' THEN '' ELSE decided_by END
WHERE id = ANY(%(ids)s) AND NOT %(flag)s = ANY(flags) AND withdrawn_at IS NULL
"""


def _flag(ids: Iterable[UUID], flag: str) -> None:
    """What the rule had let through waits for a person again; what a person decided stays decided."""
    if wanted := list(ids):
        with connection.cursor() as cursor:
            cursor.execute(_FLAG, {"ids": wanted, "flag": str(flag)})
