"""All settings of a training by name.

The trainer gives them to TRL, PEFT and transformers; `settings_read` checks what people ask for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput
from apps.training.planning.keeping_settings import KEEPING, MEMORY, PREFERENCES
from apps.training.planning.learning_settings import ADAPTER, DATA, LEARNING
from apps.training.planning.setting import Setting, Value

CATALOGUE: tuple[Setting, ...] = (*LEARNING, *DATA, *ADAPTER, *PREFERENCES, *MEMORY, *KEEPING)
BY_NAME: dict[str, Setting] = {setting.name: setting for setting in CATALOGUE}


def settings_for(method: str, technique: str) -> tuple[Setting, ...]:
    """The settings that such a training has, in the order of the form."""
    return tuple(setting for setting in CATALOGUE if setting.applies(method, technique))


def defaults_for(method: str, technique: str) -> dict[str, Value]:
    """Each setting's own default; presets choose by method, size and rows instead."""
    return {setting.name: setting.default for setting in settings_for(method, technique)}


def settings_read(given: Mapping[str, Any], *, method: str, technique: str) -> dict[str, Value]:
    """Checked settings; what is not given has its default, what such a training has not is refused.

    Raises InvalidInput with the fields by name.
    """
    wrong: dict[str, list[str]] = {}
    read: dict[str, Value] = {}
    there = settings_for(method, technique)
    for name in given.keys() - {setting.name for setting in there}:
        known = name in BY_NAME
        wrong[name] = [
            f"{BY_NAME[name].label} is none of this method." if known else "There is no such setting."
        ]
    for setting in there:
        try:
            read[setting.name] = value_read(setting, given.get(setting.name, setting.default))
        except ValueError as error:
            wrong[setting.name] = [str(error)]
    if wrong:
        name, messages = next(iter(wrong.items()))
        raise InvalidInput(f"{name}: {messages[0]}", fields=wrong)
    return read


def value_read(setting: Setting, value: Any) -> Value:
    """`value` as the setting's kind, within its bounds. Raises ValueError in words for people."""
    if setting.kind == "choice":
        if value not in (choices := [name for name, _ in setting.choices]):
            raise ValueError(f"Choose one of {', '.join(choices)}.")
        return str(value)
    number = _number(value)
    if number is None or (setting.kind == "integer" and number != int(number)):
        raise ValueError("Give a whole number." if setting.kind == "integer" else "Give a number.")
    low, high = setting.low, setting.high
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"Give a number from {low:,g} to {high:,.10g}.")
    return int(number) if setting.kind == "integer" else number


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 1e300 else None  # neither infinite nor NaN


def warnings_of(settings: Mapping[str, Value], *, method: str, technique: str) -> dict[str, str]:
    """What is allowed, yet outside of what is usual, by name."""
    found: dict[str, str] = {}
    for setting in settings_for(method, technique):
        value = settings.get(setting.name)
        if isinstance(value, str) or value is None:
            continue
        low, high = setting.safe_low, setting.safe_high
        if (low is not None and value < low) or (high is not None and value > high):
            found[setting.name] = f"{setting.label}: usually {low:,g} to {high:,.10g}."
    return found
