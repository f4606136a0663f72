"""What a setting of a training is.

Outside of `low` and `high` a value is refused; outside of `safe_low` and `safe_high` it is warned of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SFT, DPO, KTO = "sft", "dpo", "kto"
LORA, FULL, HOSTED = "lora", "full", "hosted"
METHODS = (SFT, DPO, KTO)
TRAINED_HERE = (LORA, FULL)
Kind = Literal["float", "integer", "choice"]
Value = float | int | str

#: Headings of the form, in its order.
GROUPS = {
    "learning": "How it learns",
    "data": "How rows are read",
    "lora": "The adapter",
    "preferences": "Preferences",
    "memory": "Memory and precision",
    "keeping": "Measuring and keeping",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is that of supervised training of an adapter; presets and methods differ."""

    name: str
    label: str
    kind: Kind
    default: Value
    group: str
    explanation: str
    low: float | None = None
    high: float | None = None
    safe_low: float | None = None
    safe_high: float | None = None
    #: Value → its words, where there is a choice.
    choices: tuple[tuple[str, str], ...] = ()
    methods: tuple[str, ...] = METHODS
    techniques: tuple[str, ...] = TRAINED_HERE
    #: What stands behind the field: "steps", "tokens".
    unit: str = ""

    def applies(self, method: str, technique: str) -> bool:
        return method in self.methods and technique in self.techniques


def a_number(name: str, label: str, default: float, group: str, explanation: str, **more: object) -> Setting:
    return Setting(name, label, "float", default, group, explanation, **more)  # type: ignore[arg-type]


def a_whole_number(
    name: str, label: str, default: int, group: str, explanation: str, **more: object
) -> Setting:
    return Setting(name, label, "integer", default, group, explanation, **more)  # type: ignore[arg-type]


def a_choice(
    name: str, label: str, group: str, explanation: str, choices: dict[str, str], **more: object
) -> Setting:
    default = next(iter(choices))
    return Setting(
        name,
        label,
        "choice",
        default,
        group,
        explanation,
        choices=tuple(choices.items()),
        **more,  # type: ignore[arg-type]
    )
