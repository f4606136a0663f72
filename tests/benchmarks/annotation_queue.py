"""A queue of many items: how soon the next item is there, and the pages; and fifty annotators at once.

`python -m tests.benchmarks.annotation_queue [ITEMS]` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from tests.benchmarks.bench_stack import PROJECT, BenchStack, bench_stack

ITEMS = 100_000
LOOKS = 20
ANNOTATORS, TOGETHER = 50, 5_000
#: What is looked at, and its address under the project's queues.
ASKED = (
    ("the list of queues", ""),
    ("the queue", "many/"),
    ("its open items", "many/?show=open"),
    ("its done items", "many/?show=done"),
    ("its disputed items: none", "many/?show=disputed"),
    ("what was skipped", "many/?show=skipped"),
)
_MEASURE = """
import json
from tests.benchmarks.many_items import measured
print(json.dumps(measured("{project}", {items})))
"""
_TOGETHER = """
import json, time
from tests.benchmarks.many_items import make_items
from tests.integration.test_queue_claiming import check_nothing_is_wrong, work_off
from apps.feedback.queues.leases import leases_sweep
queue = make_items("{project}", {items}, annotators=1, name="Together")
began = time.perf_counter()
did = work_off(queue, {annotators}, vanish=100)
took = time.perf_counter() - began
leases_sweep()
did += work_off(queue, 2, vanish=0)
check_nothing_is_wrong(queue, did, {items}, 1)
print(json.dumps({{"items": {items}, "annotators": {annotators}, "seconds": took, **did}}))
"""


@dataclass(frozen=True)
class Looking:
    """Milliseconds from the request to the whole page, over HTTP: the median and the slowest."""

    asked: str
    page_ms: float
    worst_ms: float


def measure(stack: BenchStack, asked: str, path: str) -> Looking:
    path = f"p/{PROJECT}/feedback/queues/{path}"
    stack.open_page(path)
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        stack.open_page(path)
        times.append((time.perf_counter() - began) * 1000)
    return Looking(asked, statistics.median(times), max(times))


def main() -> None:
    items = int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS
    with bench_stack() as stack:
        claims = stack.manage("shell", "-v0", "-c", _MEASURE.format(project=PROJECT, items=items))
        pages = [asdict(measure(stack, asked, path)) for asked, path in ASKED]
        asked = {"project": PROJECT, "items": TOGETHER, "annotators": ANNOTATORS}
        together = stack.manage("shell", "-v0", "-c", _TOGETHER.format(**asked))
    found = {"items": items, "claims": json.loads(claims), "pages": pages, "together": json.loads(together)}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
