"""What other rooms spend on calls counts in the project's month too; each says how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OtherSpending:
    """US dollars of a project's month. `unknown` counts answers of unknown price, which are not in it."""

    usd: Decimal = Decimal(0)
    unknown: int = 0


#: (project, first day of the month in UTC) → what was spent.
Source = Callable[[UUID, date], OtherSpending]
_SOURCES: dict[str, Source] = {}


def spending_register(room: str, source: Source) -> None:
    """For a room's AppConfig.ready(). `source` is asked often, so it must be quick."""
    _SOURCES[room] = source


def other_spending(project_id: UUID, month: date) -> OtherSpending:
    """What all rooms but this one spent."""
    found = [source(project_id, month) for source in _SOURCES.values()]
    return OtherSpending(sum((each.usd for each in found), Decimal(0)), sum(each.unknown for each in found))
