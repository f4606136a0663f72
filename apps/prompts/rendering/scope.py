"""Which texts the includes of a prompt stand for, and what they need from the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from .errors import IncludeFailed, SizeLimitExceeded

#: As a version keeps it: {reference: {"prompt": slug, "version": number, "version_id": id, "text": template,
#: "includes": {reference in that text: key of this mapping}}}.
Includes = Mapping[str, Mapping[str, Any]]
MAX_INCLUDE_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Needs:
    """Names that a text and what it includes ask of the inputs; `optional` are those with a way out."""

    variables: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """What the references in one text stand for. `names` None: those of the messages themselves."""

    entries: Includes = field(default_factory=dict)
    names: Mapping[str, str] | None = None
    depth: int = 0

    def find(self, reference: str) -> tuple[Mapping[str, Any], Scope] | None:
        """The entry that `reference` stands for and the scope of its text; None where there is none."""
        key = reference if self.names is None else self.names.get(reference, "")
        entry = self.entries.get(key)
        if entry is None:
            return None
        return entry, Scope(self.entries, entry.get("includes") or {}, self.depth + 1)

    def enter(self, reference: str) -> tuple[Mapping[str, Any], Scope]:
        """As `find`. Raises IncludeFailed, and SizeLimitExceeded for includes in includes without end."""
        found = self.find(reference)
        if found is None:
            raise IncludeFailed(f"the included prompt “{reference}” is not known here")
        if found[1].depth > MAX_INCLUDE_DEPTH:
            raise SizeLimitExceeded(f"prompts include each other more than {MAX_INCLUDE_DEPTH} levels deep")
        return found


class IncludeReplacer(NodeTransformer):
    """Puts the names that an included text asks for in the place of its tag, so that Jinja's own analysis
    tells which of them the text around it sets itself."""

    def __init__(self, needs: Mapping[str, Needs]) -> None:
        self._needs = needs

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        assert isinstance(node.template, nodes.Const)
        needs = self._needs.get(node.template.value, Needs())
        asked: list[nodes.Expr] = []
        for name in sorted(needs.variables):
            read: nodes.Expr = nodes.Name(name, "load", lineno=node.lineno)
            if name in needs.optional:
                read = nodes.Filter(read, "default", [], [], None, None, lineno=node.lineno)
            asked.append(read)
        return nodes.Output(asked, lineno=node.lineno)
