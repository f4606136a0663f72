"""Taking feedback: one vote for each answer and subject, changed or withdrawn at will, kept before it is
answered.

A vote is stored by one statement that looks up the answer itself, so that two of the same at once are one;
its score, for whoever counts thumbs, is written with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.locks import again_after_deadlock, transaction_lock
from apps.core.models import new_id
from apps.feedback.models import Feedback
from apps.feedback.thumbs.configuration import Taking, taking_of
from apps.feedback.thumbs.errors import (
    NotForThis,
    NothingSaid,
    OriginRefused,
    SpanGone,
    TakesNoFeedback,
)
from apps.feedback.thumbs.limiting import votes_limit
from apps.feedback.thumbs.rules import rule_apply
from apps.feedback.thumbs.tokens import FeedbackToken
from apps.traces.scores import END_USER, THUMB, span_score_remove, span_score_set

MOST_REASON, MOST_COMMENT, MOST_CORRECTION = 60, 4_000, 50_000
_GONE = "The answer that this token is for was deleted, or is of another project."


@dataclass(frozen=True, slots=True)
class Said:
    """What is said now; None where nothing is, and what was said before stays.

    `thumb`: 1 up, -1 down, 0 takes the thumb back. Texts: "" takes them back.
    """

    thumb: int | None = None
    reason: str | None = None
    comment: str | None = None
    correction: str | None = None

    def keys(self) -> list[str]:
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]


# Another thumb than before takes its reason with it. What says the same again changes nothing, and so brings
# back no row.
_KEEP = """
INSERT INTO feedback_feedback AS old (
    id, created_at, project_id, span_id, prompt_id, prompt_version_id, model_name, subject, thumb, reason,
    comment, correction, state, decided_by, flags, token_id, origin, address, revision, changed_at)
SELECT %(id)s, now(), span.project_id, span.id, version.prompt_id, span.prompt_version_id, span.model_name,
    %(subject)s, nullif(%(thumb)s::smallint, 0), coalesce(%(reason)s, ''), coalesce(%(comment)s, ''),
    coalesce(%(correction)s, ''), 'pending', '', '{}', %(token)s, %(origin)s, %(address)s, 1, now()
FROM traces_span AS span LEFT JOIN prompts_promptversion AS version ON version.id = span.prompt_version_id
WHERE span.id = %(span)s AND span.project_id = %(project)s
ON CONFLICT (span_id, subject) DO UPDATE SET
    thumb = CASE WHEN %(thumb)s::smallint IS NULL THEN old.thumb ELSE excluded.thumb END,
    reason = coalesce(%(reason)s, CASE WHEN %(thumb)s::smallint IS NOT NULL
        AND old.thumb IS DISTINCT FROM excluded.thumb THEN '' ELSE old.reason END),
    comment = coalesce(%(comment)s, old.comment),
    correction = coalesce(%(correction)s, old.correction),
    state = 'pending', decided_by = '', decided_at = NULL, flags = '{}', looked_at = NULL,
    token_id = excluded.token_id, origin = excluded.origin, address = excluded.address,
    revision = old.revision + 1, changed_at = now(), withdrawn_at = NULL
WHERE (old.thumb, old.reason, old.comment, old.correction) IS DISTINCT FROM (
    CASE WHEN %(thumb)s::smallint IS NULL THEN old.thumb ELSE excluded.thumb END,
    coalesce(%(reason)s, CASE WHEN %(thumb)s::smallint IS NOT NULL
        AND old.thumb IS DISTINCT FROM excluded.thumb THEN '' ELSE old.reason END),
    coalesce(%(comment)s, old.comment), coalesce(%(correction)s, old.correction))
RETURNING *
"""


def feedback_give(*, token: FeedbackToken, said: Said, origin: str = "", address: str = "") -> Feedback:
    """Keep what the token's holder says of the token's span, in place of what they said before.

    `origin` is the web page's, "" for who is no browser. Raises TakesNoFeedback, OriginRefused, NotForThis,
    NothingSaid, TooManyVotes, SpanGone; when it returns, the vote is on disk.
    """
    taking = _checked(token, said.keys(), origin)
    if not said.keys():
        raise NothingSaid("Send at least one of thumb, reason, comment and correction.")
    votes_limit(
        project_id=token.project_id, taking=taking, subject=token.subject, origin=origin, address=address
    )
    values = {
        "id": new_id(),
        "project": token.project_id,
        "span": token.span_id,
        "subject": token.subject,
        "token": token.id[:40],
        "origin": origin[:200],
        "address": address[:64],
        **{field.name: getattr(said, field.name) for field in fields(said)},
    }
    try:
        feedback = _kept(token, taking, values)
    except IntegrityError:  # the span was deleted in this moment
        raise SpanGone(_GONE) from None
    return feedback or _same_again(token)


@again_after_deadlock
def _kept(token: FeedbackToken, taking: Taking, values: dict[str, Any]) -> Feedback | None:
    with transaction.atomic():
        if taking.rule.at_receipt:  # it changes others' votes on the answer, as theirs changes ours
            transaction_lock(f"votes on {token.span_id}")
        feedback = _keep(values)
        if feedback is not None:
            _score(feedback)
            if taking.rule.at_receipt:
                rule_apply(project_id=token.project_id, rule=taking.rule, span_ids=[token.span_id])
    return feedback


def feedback_withdraw(*, token: FeedbackToken, origin: str = "", address: str = "") -> Feedback | None:
    """Take back all that the token's holder said of its span; None where there was nothing.

    The words are gone for good; that there was a vote is still known, so that nobody counts twice.
    """
    taking = _checked(token, (), origin)
    votes_limit(
        project_id=token.project_id, taking=taking, subject=token.subject, origin=origin, address=address
    )
    return _withdrawn(token)


@again_after_deadlock
def _withdrawn(token: FeedbackToken) -> Feedback | None:
    with transaction.atomic():
        feedback = _own(token).select_for_update(of=("self",)).first()
        if feedback is None or feedback.withdrawn_at is not None:
            return feedback
        _take_back(feedback)
        _score(feedback)
    return feedback


def feedback_own(*, token: FeedbackToken, origin: str = "") -> Feedback | None:
    """What the token's holder said of its span so far."""
    _checked(token, (), origin)
    return _own(token).first()


def _checked(token: FeedbackToken, keys: Iterable[str], origin: str) -> Taking:
    taking = taking_of(token.project_id)
    if taking is None:
        raise SpanGone(_GONE)
    if taking.is_archived:
        raise TakesNoFeedback("The project was archived, and takes no feedback.")
    if not taking.allows(origin):
        raise OriginRefused(
            f"Pages of {origin} may not send feedback to this project. "
            "An admin adds the origin in the project's feedback settings."
        )
    if refused := [key for key in keys if key not in token.keys]:
        raise NotForThis(f"This token does not allow “{refused[0]}”; it allows {', '.join(token.keys)}.")
    return taking


def _own(token: FeedbackToken) -> QuerySet[Feedback]:
    return Feedback.objects.filter(project_id=token.project_id, span_id=token.span_id, subject=token.subject)


def _keep(values: dict[str, Any]) -> Feedback | None:
    """The vote as it is now; None where it says the same as before, or there is no such span."""
    feedback = next(iter(Feedback.objects.raw(_KEEP, values)), None)
    if feedback is not None and not _says_something(feedback):
        _take_back(feedback)
    return feedback


def _same_again(token: FeedbackToken) -> Feedback:
    feedback = _own(token).first()
    if feedback is None:
        raise SpanGone(_GONE)
    return feedback


def _says_something(feedback: Feedback) -> bool:
    return bool(feedback.thumb or feedback.reason or feedback.comment or feedback.correction)


def _take_back(feedback: Feedback) -> None:
    feedback.thumb, feedback.reason, feedback.comment, feedback.correction = None, "", "", ""
    feedback.state, feedback.decided_by, feedback.decided_at = Feedback.State.PENDING, "", None
    feedback.changed_at = feedback.withdrawn_at = feedback.looked_at = timezone.now()
    feedback.flags = []
    feedback.revision += 1
    feedback.save()


def _score(feedback: Feedback) -> None:
    """The thumb as a score of the span: 1 up, 0 down, none where there is no thumb."""
    whose = {"span_id": feedback.span_id, "metric": THUMB, "source": END_USER, "rater": feedback.subject}
    if feedback.thumb is None:
        span_score_remove(**whose)  # type: ignore[arg-type]
        return
    span_score_set(
        project_id=feedback.project_id,
        value=float(feedback.thumb == Feedback.UP),
        label="up" if feedback.thumb == Feedback.UP else "down",
        comment=feedback.comment,
        **whose,  # type: ignore[arg-type]
    )
