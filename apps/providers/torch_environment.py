"""What must be in the environment before torch is loaded in this process."""

from __future__ import annotations

import os


def prepare_for_torch() -> None:
    """Call before the first import of torch. What the operator has set stays.

    Threads that wait for each other sleep instead of spinning, so that on a machine whose cores are
    shared with the database and other workers they do not take the time the others need. Models are
    local files, so the hub is never asked.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
