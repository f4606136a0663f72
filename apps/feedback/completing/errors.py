"""What can go wrong between an application's request and a model's answer."""

from __future__ import annotations

from apps.core.errors import ProductError


class CompletionFailed(ProductError):
    """The call was made and failed, or was stopped. `extra` names it and the kind of error."""

    code = "completion_failed"
    title = "The model did not answer"
    status = 502


class CompletionTimedOut(ProductError):
    """No answer came in time. `extra` names the call."""

    code = "completion_timed_out"
    title = "No answer in time"
    status = 504


class TooManyWaiting(ProductError):
    """More requests wait for answers than one key, or one web process, has room for."""

    code = "too_many_waiting"
    title = "Too many requests are waiting"
    status = 429
