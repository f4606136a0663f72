"""Why feedback is not taken."""

from __future__ import annotations

from apps.core.errors import Conflict, InvalidInput, NotFound, ProductError, Refused


class OriginRefused(Refused):
    """A web page of an origin that the project does not name."""

    code = "origin_refused"
    title = "This page may not send feedback"


class NotForThis(Refused):
    """The token lets its holder say less than this."""

    code = "feedback_key_refused"
    title = "The token does not allow this"


class SpanGone(NotFound):
    """The answer was deleted, or was never of the token's project."""

    code = "span_gone"
    title = "The answer is not there any more"


class NothingSaid(InvalidInput):
    code = "nothing_said"
    title = "The feedback says nothing"


class TakesNoFeedback(Conflict):
    """The project was archived."""

    code = "project_archived"
    title = "The project takes no feedback"


class TooManyVotes(ProductError):
    """`retry_after_s` in `extra` says when to try again."""

    code = "too_many_votes"
    title = "Too much feedback at once"
    status = 429


class InvalidRule(InvalidInput):
    code = "invalid_rule"
    title = "The rule is not valid"
