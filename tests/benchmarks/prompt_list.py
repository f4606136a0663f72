"""The list of many prompts: how soon the page answers, by what is asked of it.

`python -m tests.benchmarks.prompt_list [PROMPTS]` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from tests.benchmarks.bench_stack import PROJECT, BenchStack, bench_stack

PROMPTS = 5_000
VERSIONS = 3
#: One prompt in a hundred holds it, in its second version only.
RARE = "quixotic"
LOOKS = 20
#: What is asked, and the query string that asks it. Every prompt has "question" and most "translate".
ASKED = (
    ("all of them", ""),
    ("backwards by name", "?sort=-name"),
    ("a folder with its subfolders", "?folder=team-1"),
    ("a tag", "?tag=billing"),
    ("a word that 50 prompts hold", f"?q={RARE}"),
    ("a phrase", "?q=%22customer+wrote%22"),
    ("a word that nearly all hold", "?q=translate"),
    ("a piece of a word that nearly all hold", "?q=ranslat"),
    ("a word that none holds", "?q=zzzz"),
    ("a word, in a folder, with a tag", f"?q={RARE}&folder=team-0&tag=legal"),
)
_MAKE = """
from django.db import connection
from tests.benchmarks.many_prompts import make_prompts
make_prompts("{project}", {prompts})
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")
"""


@dataclass(frozen=True)
class Looking:
    """Milliseconds from the request to the whole page, over HTTP: the median and the slowest."""

    asked: str
    page_ms: float
    worst_ms: float


def measure(stack: BenchStack, asked: str, query: str) -> Looking:
    path = f"p/{PROJECT}/prompts/{query}"
    stack.open_page(path)
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        stack.open_page(path)
        times.append((time.perf_counter() - began) * 1000)
    return Looking(asked, statistics.median(times), max(times))


def main() -> None:
    prompts = int(sys.argv[1]) if len(sys.argv) > 1 else PROMPTS
    with bench_stack() as stack:
        stack.manage("shell", "-v0", "-c", _MAKE.format(project=PROJECT, prompts=prompts))
        found = [asdict(measure(stack, asked, query)) for asked, query in ASKED]
    print(json.dumps({"prompts": prompts, "versions": VERSIONS, "pages": found}, indent=1))


if __name__ == "__main__":
    main()
