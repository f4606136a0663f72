"""The list of a million spans: how soon the page and REST answer, by what is asked of them.

`python -m tests.benchmarks.span_list [SPANS]` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from tests.benchmarks.bench_stack import PROJECT, BenchStack, bench_stack

SPANS = 1_000_000
LOOKS = 10
#: A word of some old spans: every hundredth of the oldest tenth.
RARE = "quixotic"
#: What is asked, and the query string that asks it.
ASKED = (
    ("all of them", ""),
    ("the oldest thumbs down", "?metric=thumb&low=0&high=0&until={old}"),
    ("thumbs down", "?metric=thumb&low=0&high=0"),
    ("reviewed, 2 to 3", "?metric=quality&low=2&high=3"),
    ("a word that most hold", "?text=word0"),
    ("a word that one in a hundred holds", "?text=word2500"),
    ("a word that a few old ones hold", f"?text={RARE}"),
    ("a word that none holds", "?text=zzzz"),
    ("two words of one prompt", "?text=word1+word2&prompt=answer-3"),
    ("a prompt", "?prompt=answer-19"),
    ("a prompt's version", "?prompt=answer-19&version=5"),
    ("a model", "?model=bench/model-5"),
    ("a session", "?session=session-71"),
    ("a user who comes often", "?user=user-0"),
    ("a user who came seldom", "?user=user-19000"),
    ("sent by the application", "?source=ingest"),
    ("failed", "?error=any"),
    ("one day long ago", "?since={old}&until={old}"),
    ("a session's errors of a model", "?session=session-50&error=any&model=bench/model-4"),
)
_MAKE = """
from tests.benchmarks.many_spans import make_spans
make_spans("{project}", {spans})
"""
_OLD = """
from datetime import timedelta
from django.utils import timezone
print((timezone.now() - timedelta(days=80)).date())
"""


@dataclass(frozen=True)
class Looking:
    """Milliseconds from the request to the whole answer, over HTTP: the medians, and the slowest page."""

    asked: str
    page_ms: float
    worst_ms: float
    rest_ms: float


def measure(stack: BenchStack, asked: str, query: str) -> Looking:
    pages = _times(lambda: stack.open_page(f"p/{PROJECT}/traces/{query}"))
    rest = _times(lambda: stack.api(f"spans/{query}"))
    return Looking(asked, statistics.median(pages), max(pages), statistics.median(rest))


def _times(look: Callable[[], object]) -> list[float]:
    look()
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        look()
        times.append((time.perf_counter() - began) * 1000)
    return times


def main() -> None:
    spans = int(sys.argv[1]) if len(sys.argv) > 1 else SPANS
    with bench_stack() as stack:
        began = time.perf_counter()
        stack.manage("shell", "-v0", "-c", _MAKE.format(project=PROJECT, spans=spans))
        made_s = time.perf_counter() - began
        old = stack.manage("shell", "-v0", "-c", _OLD)
        found = [asdict(measure(stack, asked, query.format(old=old))) for asked, query in ASKED]
    print(json.dumps({"spans": spans, "made_s": made_s, "pages": found}, indent=1))


if __name__ == "__main__":
    main()
