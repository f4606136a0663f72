"""What this stack consists of, as the settings say: which servers are embedded, which programs run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops_web.stack.paths import StackPaths
from llmops_web.stack.postgres import EmbeddedPostgres
from llmops_web.stack.programs import (
    Program,
    beat_program,
    postgres_program,
    valkey_program,
    web_program,
    worker_program,
)
from llmops_web.stack.valkey import EmbeddedValkey


@dataclass(frozen=True)
class StackShape:
    """`web` is None on a machine that only works."""

    paths: StackPaths
    root: Path
    queues: Sequence[str]
    web: tuple[str, int] | None
    postgres: EmbeddedPostgres | None
    valkey: EmbeddedValkey | None
    llm_workers: int = 1
    gpu_workers: int = 1

    @property
    def workers(self) -> list[Program]:
        """Each of `queues` is one, or several by commas that share processes, as many as one of them asks."""
        processes = {"llm": self.llm_workers, "gpu": self.gpu_workers}
        return [
            worker_program(group, self.root, number=number)
            for group in self.queues
            for number in range(1, max(processes.get(queue, 1) for queue in group.split(",")) + 1)
        ]

    @property
    def programs(self) -> list[Program]:
        programs: list[Program] = []
        if self.postgres:
            programs.append(postgres_program(self.postgres))
        if self.valkey:
            programs.append(valkey_program(self.valkey))
        programs += self.workers
        if self.web:
            programs += [beat_program(self.root), web_program(*self.web, self.root)]
        return programs

    def names(self, stage: int) -> list[str]:
        return [program.name for program in self.programs if program.stage == stage]


def shape_from_settings(*, folder_id: str, queues: Sequence[str] | None = None) -> StackShape:
    """The whole stack, or with `queues` the workers alone."""
    from django.conf import settings

    paths: StackPaths = settings.STACK
    whole = queues is None
    return StackShape(
        paths=paths,
        root=settings.BASE_DIR,
        queues=settings.WORKERS if queues is None else queues,
        web=(settings.HOST, settings.PORT) if whole else None,
        postgres=EmbeddedPostgres.of_stack(paths, folder_id=folder_id)
        if settings.EMBEDDED_DATABASE
        else None,
        valkey=EmbeddedValkey.of_stack(paths) if settings.EMBEDDED_BROKER else None,
        llm_workers=settings.LLM_WORKERS,
        gpu_workers=settings.GPU_WORKERS,
    )
