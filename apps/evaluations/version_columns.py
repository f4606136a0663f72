"""Further columns of the table of a prompt's versions, which rooms that build on this one put there.

A room registers its column when its app is ready (`AppConfig.ready`), as it may import this room and not the
other way round: thumbs of users, approvals, traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.prompts.models import Prompt, PromptVersion


@dataclass(frozen=True, slots=True)
class Cell:
    """What a column says of one version; `url` leads to more, `detail` stands small below."""

    text: str
    detail: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class VersionColumn:
    """A column by its title. `cells` answers for all versions at once (by their ids), so that the number of
    queries does not grow with them; a version left out has an empty cell."""

    name: str
    title: str
    cells: Callable[[Prompt, Sequence[PromptVersion]], Mapping[UUID, Cell]]
    numeric: bool = False


_COLUMNS: dict[str, VersionColumn] = {}


def version_column_register(column: VersionColumn) -> None:
    """Add a column at the end; one of the same name takes the place of the first."""
    _COLUMNS[column.name] = column


def version_column_remove(name: str) -> None:
    """Take a column away again; nothing happens where there is none of the name."""
    _COLUMNS.pop(name, None)


def version_columns() -> list[VersionColumn]:
    return list(_COLUMNS.values())
