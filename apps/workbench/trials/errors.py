"""What can go wrong with trials on rows, as the product tells it."""

from __future__ import annotations

from apps.core.errors import Conflict, InvalidInput, NotFound


class TrialNotFound(NotFound):
    code = "trial_not_found"


class InvalidTrial(InvalidInput):
    code = "invalid_trial"
    title = "This cannot be tried"
    status = 422


class DearTrial(Conflict):
    """It may cost more than a slip of the finger should; the same asked for with `sure` goes ahead."""

    code = "dear_trial"
    title = "This may cost more than you think"
