"""What the training process tells its supervisor: one JSON object a line, whole when it is there."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from apps.training.trainer.spec import EVENTS_FILE


class EventWriter:
    """Appends to the run's events and flushes each line. Only the training process writes there."""

    def __init__(self, folder: Path) -> None:
        path = folder / EVENTS_FILE
        torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8")
        if torn:  # an earlier process was killed in the middle of a line
            self._file.write("\n")

    def tell(self, event: str, /, **values: Any) -> None:
        line = json.dumps({"type": event, **without_nan(values)}, ensure_ascii=False, default=str)
        self._file.write(line + "\n")
        self._file.flush()

    def stage(self, name: str) -> None:
        print(f"— {name}", flush=True)
        self.tell("stage", stage=name)

    def warn(self, text: str) -> None:
        print(f"warning: {text}", flush=True)
        self.tell("warning", text=text)

    def close(self) -> None:
        self._file.close()


def without_nan(value: Any) -> Any:
    """JSON knows neither NaN nor infinity: figures that are none of the finite ones are left out."""
    if isinstance(value, dict):
        return {name: without_nan(part) for name, part in value.items() if not _is_nan(part)}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value if not _is_nan(part)]
    return None if _is_nan(value) else value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
