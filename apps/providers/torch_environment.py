"""What must be in the environment before torch is loaded, in this process or one that it starts."""

from __future__ import annotations

import os
import re

#: A process that computes with a model's files needs no way to the database, the broker or the file store.
_SECRET = re.compile(r"_KEY$|_KEY_ID$|_KEYS$|SECRET|PASSWORD|_TOKEN$|DATABASE_URL|BROKER_URL")


def prepare_for_torch() -> None:
    """Call before the first import of torch. What the operator has set stays.

    Threads that wait for each other sleep instead of spinning, so that on a machine whose cores are
    shared with the database and other workers they do not take the time the others need. Models are
    local files, so the hub is never asked.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")


def environment_of_child() -> dict[str, str]:
    """For a process that loads a model's files: this one's without secrets; the hub is never asked."""
    return {
        **{name: value for name, value in os.environ.items() if not _SECRET.search(name)},
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
