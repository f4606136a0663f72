"""What a stack leaves outside of its data folder, and taking it away after a test, however that ended."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from llmops_web.stack.paths import SHARED_STATE, StackPaths
from llmops_web.stack.processes import ProcessRecord, end_leftovers, read_records


def database_outside(paths: StackPaths) -> Path | None:
    """Where the database lies when the stack ran as root; None when it never came to have an id."""
    try:
        return SHARED_STATE / "postgres" / str(json.loads(paths.marker.read_text())["id"])
    except FileNotFoundError:
        return None


def take_away(paths: StackPaths) -> list[ProcessRecord]:
    """End the stack's processes, and remove its database and sockets; its processes, as they were noted."""
    records = read_records(paths.run)
    end_leftovers(paths.run)
    database = database_outside(paths)
    for folder in (*([database] if database else []), paths.sockets):
        shutil.rmtree(folder, ignore_errors=True)
    return records


def remains(paths: StackPaths, records: list[ProcessRecord]) -> list[str]:
    """What is still there: processes, the database, sockets. Ask before the data folder is removed."""
    places = [place for place in (database_outside(paths), paths.sockets) if place and place.exists()]
    return [record.name for record in records if record.alive] + [str(place) for place in places]
