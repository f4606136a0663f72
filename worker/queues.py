"""The queues and how a worker serves each. Plain Python: the supervisor reads it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Queue:
    """`pool` and `concurrency` as Celery's worker takes them."""

    name: str
    pool: str
    concurrency: int
    purpose: str


QUEUES: Mapping[str, Queue] = {
    queue.name: queue
    for queue in (
        Queue("default", "threads", 2, "imports, exports, statistics, mail"),
        # One asyncio loop a process serves many calls, so threads of one process share it.
        Queue("interactive", "threads", 8, "a person is watching: playground, connection tests"),
        Queue("llm", "threads", 8, "evaluation against endpoints"),
        # Holds the model in memory: one process, one task at a time.
        Queue("local", "solo", 1, "the model on this machine: generation, embeddings, perplexity"),
        # One job at a time a process, and a process a device; it waits for a trainer that is its child.
        Queue("gpu", "solo", 1, "fine-tuning; without a GPU it trains on the processor"),
    )
}
