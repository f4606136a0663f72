"""What runs by the clock. Nothing depends on it alone: workers sweep now and then too."""

from __future__ import annotations

from typing import Any

SWEEP_EVERY_S = 15.0

SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep": {
        "task": "worker.sweep",
        "schedule": SWEEP_EVERY_S,
        # A sweep that waited longer than the next one's time is of no use.
        "options": {"queue": "default", "expires": SWEEP_EVERY_S},
    }
}
