"""Feedback tokens: who may say something of which answer, signed, so that a browser may hold them.

A token names project, span, subject, what may be said, when it ends, and itself. It is signed (HMAC-SHA256,
Django's signing with the installation's secret key) and readable by anybody, so it holds no secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core import signing
from django.utils import timezone
from django.utils.crypto import salted_hmac

from apps.core.errors import ProductError

_SALT = "llmops.feedback"
_SUBJECT_SALT = "llmops.feedback-subject"
#: What a token may let its holder say.
KEYS = ("thumb", "reason", "comment", "correction")


class FeedbackTokenRefused(ProductError):
    """The token is forged, of another installation, too old, or damaged."""

    code = "feedback_token_refused"
    title = "The feedback token is not valid"
    status = 403


@dataclass(frozen=True, slots=True)
class FeedbackToken:
    """What a token says, once its signature was checked."""

    id: str
    project_id: UUID
    span_id: UUID
    subject: str
    keys: tuple[str, ...]
    expires_at: datetime


def subject_of(*, project_id: UUID, user: str) -> str:
    """How a user of an application is kept: a keyed hash, the same for the same name in one project."""
    return salted_hmac(_SUBJECT_SALT, f"{project_id}/{user}", algorithm="sha256").hexdigest()


def feedback_token(
    *,
    project_id: UUID,
    span_id: UUID,
    subject: str,
    keys: Sequence[str] = KEYS,
    valid_for: timedelta = timedelta(hours=72),
) -> str:
    """A token that lets whoever holds it say `keys` of the span as `subject` (of `subject_of`)."""
    ends = timezone.now() + valid_for
    return signing.dumps(
        {
            "i": secrets.token_urlsafe(12),
            "p": project_id.hex,
            "s": span_id.hex,
            "u": subject,
            "k": [KEYS.index(key) for key in keys],
            "e": int(ends.timestamp()),
        },
        salt=_SALT,
    )


def feedback_token_read(text: str) -> FeedbackToken:
    """What the token says. Raises FeedbackTokenRefused."""
    try:
        said = signing.loads(text, salt=_SALT)
        token = FeedbackToken(
            id=said["i"],
            project_id=UUID(said["p"]),
            span_id=UUID(said["s"]),
            subject=said["u"],
            keys=tuple(KEYS[place] for place in said["k"]),
            expires_at=datetime.fromtimestamp(said["e"], tz=UTC),
        )
    except (signing.BadSignature, KeyError, TypeError, ValueError, IndexError):
        raise FeedbackTokenRefused(
            "The feedback token was not made here or was changed. Ask the application for a new one."
        ) from None
    if token.expires_at <= timezone.now():
        raise FeedbackTokenRefused("The feedback token has expired. Ask the application for a new one.")
    return token
