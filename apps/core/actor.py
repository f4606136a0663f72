"""Who does something: a person, an API key, a worker, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from apps.core.roles import Role

ActorKind = Literal["user", "api_key", "worker", "system"]


@dataclass(frozen=True)
class Actor:
    """The doer of a write, as it is kept in the audit log.

    `role` is the actor's role in the project at hand; None where no project is at hand.
    `address` is the network address the request came from, empty for work done inside.
    """

    kind: ActorKind
    id: str
    label: str
    role: Role | None = None
    address: str = ""

    @classmethod
    def system(cls, label: str = "system") -> Actor:
        return cls(kind="system", id="", label=label, role=Role.ADMIN)

    @classmethod
    def worker(cls, name: str) -> Actor:
        return cls(kind="worker", id=name, label=name, role=Role.EDITOR)

    def may(self, role: Role) -> bool:
        return self.role is not None and self.role >= role
