"""The page of a comparison: how soon it answers, and how soon a worker has made its figures.

`python -m tests.benchmarks.comparison [RUNSxROWS …]` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.bench_stack import PROJECT, BenchStack, bench_stack
from tests.browser import find_or_install_browser

#: (runs, rows): what people compare, and the largest.
SIZES = ((2, 2_000), (10, 10_000), (2, 100_000))
#: Metrics of items, two of them 0 or 1.
METRICS = 5
ROUNDS = 5
LOOKS = 10
_FORGET = """
from apps.evaluations.models import ComparisonFigures
ComparisonFigures.objects.filter(comparison__number={number}).delete()
"""
#: Milliseconds from the start of the navigation to the last thing that it brought.
_SETTLED = """() => Math.max(
    performance.getEntriesByType("navigation")[0].loadEventEnd,
    ...performance.getEntriesByType("resource").map((one) => one.responseEnd))"""
_MAKE = """
from tests.benchmarks.compared_runs import make_comparison
made = make_comparison("{project}", runs={runs}, rows={rows})
print(made.number, made.pk)
"""


@dataclass(frozen=True)
class Comparing:
    """Of one comparison: milliseconds of the first answer, when nothing is made, and of those after; of the
    rows; until the page has settled in a browser (all that it loads is there, and nothing more is asked for);
    seconds from the first answer until the figures are there. Medians, and each round's seconds.
    """

    runs: int
    rows: int
    metrics: int
    first_ms: float
    figures_s: float
    each_figures_s: list[float]
    later_ms: float
    rows_ms: float
    settled_ms: float


def measure(stack: BenchStack, runs: int, rows: int) -> Comparing:
    number, comparison = _said(stack, _MAKE.format(project=PROJECT, runs=runs, rows=rows)).split()
    page = f"p/{PROJECT}/comparisons/{number}/"
    _until_ready(stack, comparison)
    stack.open_page(page)  # signed in, templates compiled
    first, figures = list[float](), list[float]()
    for _ in range(ROUNDS):
        _said(stack, _FORGET.format(number=number))
        began = time.perf_counter()
        stack.open_page(page)
        first.append((time.perf_counter() - began) * 1000)
        _until_ready(stack, comparison)
        figures.append(time.perf_counter() - began - first[-1] / 1000)
    return Comparing(
        runs=runs,
        rows=rows,
        metrics=METRICS,
        first_ms=statistics.median(first),
        figures_s=statistics.median(figures),
        each_figures_s=[round(seconds, 2) for seconds in figures],
        later_ms=_median_ms(lambda: stack.open_page(page)),
        rows_ms=_median_ms(lambda: stack.open_page(f"{page}rows/", htmx=True)),
        settled_ms=_settled_ms(stack, page),
    )


def _settled_ms(stack: BenchStack, page: str) -> float:
    """Until the window's load event and the end of the last request that the page makes, in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=find_or_install_browser(), args=arguments)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "llmops_session", "value": stack.cookie, "url": stack.url}])
        opened = context.new_page()
        times = []
        for _ in range(LOOKS + 1):  # the first fills the browser's cache
            opened.goto(f"{stack.url}/{page}", wait_until="networkidle")
            opened.locator(".compared-rows tbody tr").first.wait_for()
            times.append(opened.evaluate(_SETTLED))
        browser.close()
    return statistics.median(times[1:])


def _said(stack: BenchStack, program: str) -> str:
    return stack.manage("shell", "-v0", "-c", program)


def _until_ready(stack: BenchStack, comparison: str) -> None:
    """Until the figures are there, as a client sees it. Raises RuntimeError where they cannot be made."""
    ends = time.monotonic() + 120
    while True:
        answer = stack.api(f"comparisons/{comparison}/")
        if answer["status"] == "ready":
            return
        if answer["status"] == "failed" or time.monotonic() > ends:
            raise RuntimeError(f"The figures are {answer['status']}: {answer['status_reason']}")
        time.sleep(0.02)


def _median_ms(work: Callable[[], Any]) -> float:
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def main() -> None:
    sizes = [tuple(map(int, text.split("x"))) for text in sys.argv[1:]] or SIZES
    with bench_stack() as stack:
        found = [asdict(measure(stack, runs, rows)) for runs, rows in sizes]
    print(json.dumps({"comparisons": found}, indent=1))


if __name__ == "__main__":
    main()
