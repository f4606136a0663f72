"""Pages of feedback over a million votes: how soon each answers, by what is asked of it.

`python -m tests.benchmarks.feedback_pages [VOTES]` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from tests.benchmarks.bench_stack import PROJECT, BenchStack, bench_stack

VOTES = 1_000_000
LOOKS = 12
_PROMPT = "prompt=prompt-3"
#: What is asked, and the address under the project's feedback that asks it.
ASKED = (
    ("overview", ""),
    ("overview of a prompt, a year", f"?{_PROMPT}&days=365"),
    ("all votes", "votes/"),
    ("thumbs down", "votes/?thumb=down"),
    ("a version", f"votes/?{_PROMPT}&version=2"),
    ("a version's thumbs down, waiting", f"votes/?{_PROMPT}&version=2&thumb=down&state=pending"),
    ("a reason", "votes/?reason=Rude"),
    ("a reason that nobody gave", "votes/?reason=Never"),
    ("a model that none has", "votes/?model=no/model"),
    ("flagged", "votes/?flag=burst"),
    ("flagged as outliers: none", "votes/?flag=outlier"),
    ("corrections let through", "votes/?has=correction&state=approved"),
    ("a week in the past", "votes/?since={since}&until={until}"),
    ("a rare word", "votes/?q=quixotic"),
    ("a word that 100,000 hold", "votes/?q=number"),
    ("worst answers", "votes/?order=worst"),
    ("a prompt's worst answers", f"votes/?{_PROMPT}&order=worst"),
    ("worst answers with a reason", "votes/?order=worst&reason=Rude"),
)
_MAKE = """
from tests.benchmarks.many_votes import make_votes
make_votes("{project}", {votes})
"""
_ONE = """
from apps.feedback.models import SpanEmbedding, Feedback
span = SpanEmbedding.objects.filter(vector__isnull=False).order_by("-span").first().span_id
print(Feedback.objects.filter(span=span, thumb=-1).first().pk)
"""


@dataclass(frozen=True)
class Looking:
    """Milliseconds from the request to the whole page, over HTTP: the median and the slowest."""

    asked: str
    page_ms: float
    worst_ms: float


def measure(stack: BenchStack, asked: str, path: str) -> Looking:
    path = f"p/{PROJECT}/feedback/{path}"
    stack.open_page(path)
    times = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        stack.open_page(path)
        times.append((time.perf_counter() - began) * 1000)
    return Looking(asked, statistics.median(times), max(times))


def _week(days_ago: int) -> dict[str, str]:
    from datetime import UTC, datetime, timedelta

    day = datetime.now(UTC).date() - timedelta(days=days_ago)
    return {"since": day.isoformat(), "until": (day + timedelta(days=6)).isoformat()}


def main() -> None:
    votes = int(sys.argv[1]) if len(sys.argv) > 1 else VOTES
    with bench_stack() as stack:
        stack.manage("shell", "-v0", "-c", _MAKE.format(project=PROJECT, votes=votes))
        one = stack.manage("shell", "-v0", "-c", _ONE).strip()
        asked = [*((name, path.format(**_week(90))) for name, path in ASKED)]
        asked += [("one vote", f"votes/{one}/"), ("its similar failures", f"votes/{one}/similar/")]
        found = [asdict(measure(stack, name, path)) for name, path in asked]
    print(json.dumps({"votes": votes, "pages": found}, indent=1))


if __name__ == "__main__":
    main()
