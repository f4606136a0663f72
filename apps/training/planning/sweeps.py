"""What a sweep tries: read from JSON, and checked. The trials themselves are a worker's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput
from apps.training.planning.catalogue import BY_NAME, value_read
from apps.training.planning.setting import DPO, HOSTED, SFT

#: What a sweep can vary, with the range that a form begins with.
SWEPT: dict[str, tuple[float, float]] = {
    "learning_rate": (1e-5, 1e-3),
    "lora_r": (8, 64),
    "beta": (0.03, 0.5),
}
OBJECTIVES = {
    "eval_loss": "Lowest validation loss",
    "rewards/accuracies": "Most pairs the right way round",
    "rewards/margins": "Widest margin",
}
MOST_TRIALS, MOST_STEPS = 50, 100_000


def swept_names(method: str, technique: str) -> list[str]:
    """The settings that a sweep of such a training can vary."""
    return [name for name in SWEPT if BY_NAME[name].applies(method, technique)]


def objectives_of(method: str) -> dict[str, str]:
    """KTO's rewards are of single answers, so they have no right way round."""
    names = {SFT: ["eval_loss"], DPO: list(OBJECTIVES)}.get(method, ["eval_loss", "rewards/margins"])
    return {name: OBJECTIVES[name] for name in names}


def sweep_read(given: Mapping[str, Any] | None, *, method: str, technique: str) -> dict[str, Any]:
    """{} for none, else {"trials", "steps", "objective", "space": {name: [low, high]}}. Raises
    InvalidInput."""
    if not given:
        return {}
    if technique == HOSTED:
        raise _wrong("sweep", "A provider's training has no sweep.")
    if unknown := given.keys() - {"trials", "steps", "objective", "space"}:
        raise _wrong("sweep", f"A sweep has no {sorted(map(str, unknown))[0][:40]!r}.")
    objective = given.get("objective", "eval_loss")
    if objective not in objectives_of(method):
        raise _wrong("sweep", f"The objective is one of {', '.join(objectives_of(method))}.")
    space = given.get("space")
    if not isinstance(space, Mapping) or not space:
        raise _wrong("sweep", "Choose at least one setting to vary.")
    return {
        "trials": _count("trials", given.get("trials", 6), 2, MOST_TRIALS),
        "steps": _count("steps", given.get("steps", 40), 1, MOST_STEPS),
        "objective": objective,
        "space": {str(name): _range(str(name), bounds, method, technique) for name, bounds in space.items()},
    }


def _count(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _wrong("sweep", f"{name.capitalize()} of a sweep go from {low:,} to {high:,}.")
    return value


def _range(name: str, bounds: Any, method: str, technique: str) -> list[float | int | str]:
    if name not in swept_names(method, technique):
        raise _wrong("sweep", f"A sweep of this method varies {', '.join(swept_names(method, technique))}.")
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        raise _wrong("sweep", f"The range of {name} is [lowest, highest].")
    try:
        low, high = (value_read(BY_NAME[name], bound) for bound in bounds)
    except ValueError as error:
        raise _wrong("sweep", f"{BY_NAME[name].label}: {error}") from error
    if not float(low) < float(high):
        raise _wrong("sweep", f"{BY_NAME[name].label}: the lowest value lies below the highest.")
    return [low, high]


def _wrong(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
