"""Folders as a tree, from the paths that prompts name: "support/replies" lies in "support"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Folder:
    """`count` takes in the prompts of subfolders. `open`: it is looked at, or holds what is."""

    path: str
    name: str
    depth: int
    count: int = 0
    open: bool = False
    chosen: bool = False
    inside: list[Folder] = field(default_factory=list)


def folder_tree(counts: Iterable[tuple[str, int]], chosen: str = "") -> list[Folder]:
    """Folders from the top, then those inside of each that is open, in the order they are read in.

    `counts` are paths with how many prompts lie in each itself.
    """
    by_path: dict[str, Folder] = {}
    tops: list[Folder] = []
    for path, count in counts:
        parts = path.split("/")
        for depth in range(len(parts)):
            here = "/".join(parts[: depth + 1])
            if here not in by_path:
                by_path[here] = Folder(here, parts[depth], depth)
                above = by_path.get("/".join(parts[:depth]))
                (above.inside if above else tops).append(by_path[here])
            by_path[here].count += count
    for folder in by_path.values():
        folder.chosen = folder.path == chosen
        folder.open = f"{chosen}/".startswith(f"{folder.path}/")
    return _in_order(tops)


def _in_order(folders: list[Folder]) -> list[Folder]:
    shown: list[Folder] = []
    for folder in sorted(folders, key=lambda one: one.name.casefold()):
        shown.append(folder)
        if folder.open:
            shown += _in_order(folder.inside)
    return shown
