"""What must be in the environment before torch is loaded in this process."""

from __future__ import annotations

import os


def prepare_for_torch() -> None:
    """Call before the first import of torch. What the operator has set stays.

    Threads that wait for each other sleep instead of spinning: on a machine whose cores are shared with
    the database and other workers that is 15 times as fast, and no slower on an idle one. Models are
    local files, so the hub is never asked.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
