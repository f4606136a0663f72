"""Feedback tokens, for tests."""

from __future__ import annotations

from typing import Any

from apps.feedback.thumbs.tokens import FeedbackToken, feedback_token, feedback_token_read, subject_of
from apps.traces.models import Span


def make_token(span: Span, user: str = "ada", **more: Any) -> str:
    """A token of the span for an application's user."""
    subject = subject_of(project_id=span.project_id, user=user)
    return feedback_token(project_id=span.project_id, span_id=span.pk, subject=subject, **more)


def token_of(span: Span, user: str = "ada", **more: Any) -> FeedbackToken:
    return feedback_token_read(make_token(span, user, **more))
