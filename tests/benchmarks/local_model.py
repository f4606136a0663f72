"""The embedded model: rows a second in the engine's batches against one at a time, and if they answer alike.

    python -m tests.benchmarks.local_model [--rows 200] [--tokens 48] [--sizes 8,16,32] [--json]

The prompts are made here, of 5 to 130 words, each with a beginning of its own. Rows are taken in claims as a
run takes them; each claim is answered one at a time and in batches, one right after the other, so that what
else the machine does weighs on both. Greedy, in the engine's own precision (float32 on a CPU). Beside the
clock stands processor time, which other programs do not lengthen much.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

_TASKS = (
    "Which of these would you do first, and why?",
    "Say what happened in one sentence.",
    "What should the town do next year?",
    "Write a short reply to the person who sent this.",
    "What follows from it for the shop at the corner?",
    "Name two things that are missing here.",
    "Explain it to a child of eight.",
    "How many people were there, as far as one can tell?",
)
_WHO = ("The baker", "A nurse", "Our neighbour", "The ferry's captain", "A teacher", "The youngest clerk")
_DID = ("counted", "repaired", "forgot", "sold", "painted", "carried home", "asked about")
_WHAT = ("forty chairs", "the old clock", "nine sacks of flour", "a bicycle", "the letters", "two lamps")
_WHEN = ("before the rain came", "on a Tuesday", "while the band played", "after lunch", "twice in one week")


@dataclass
class Side:
    """What one way of answering took: seconds by the clock and of processor time, and the texts."""

    clock_s: float = 0.0
    processor_s: float = 0.0
    texts: list[str] = field(default_factory=list)

    def timed(self, work: Callable[[], list[str]]) -> None:
        clock, processor = time.perf_counter(), time.process_time()
        self.texts += work()
        self.clock_s += time.perf_counter() - clock
        self.processor_s += time.process_time() - processor


def prompts(count: int) -> list[str]:
    """The same texts every time, of 5 to about 130 words."""
    chance = random.Random(20)
    texts = []
    for _ in range(count):
        sentences = [
            f"{chance.choice(_WHO)} {chance.choice(_DID)} {chance.choice(_WHAT)} {chance.choice(_WHEN)}."
            for _ in range(chance.choice((0, 1, 1, 2, 3, 4, 6, 8, 12)))
        ]
        texts.append(" ".join([chance.choice(_TASKS), *sentences]))
    return texts


def measure(*, rows: int, tokens: int, sizes: Sequence[int]) -> dict[str, Any]:
    """The figures: ratios, and every row whose text differs. Loads the model first, outside the times."""
    from django.conf import settings

    from apps.evaluations.engine.batches import LOCAL_BATCH, LOCAL_CLAIM
    from apps.providers.local_model.engine import LocalEngine

    engine = LocalEngine(settings.STACK.models)
    requests = [_request(text, tokens) for text in prompts(rows)]
    engine.generate(requests[:1])
    alone, batched, pairs = Side(), Side(), []
    for start in range(0, rows, LOCAL_CLAIM):
        claim = requests[start : start + LOCAL_CLAIM]
        before = (alone.clock_s, batched.clock_s)
        alone.timed(lambda claim=claim: [_text(engine.generate([one])[0]) for one in claim])
        batched.timed(lambda claim=claim: _in_batches(engine, claim, LOCAL_BATCH))
        pairs.append((alone.clock_s - before[0]) / (batched.clock_s - before[1]))
        print(f"  {start + len(claim)} of {rows} rows: {pairs[-1]:.2f} ×", file=sys.stderr, flush=True)
    differing = [
        {"row": number, "prompt": prompts(rows)[number], "alone": one, "batched": other}
        for number, (one, other) in enumerate(zip(alone.texts, batched.texts, strict=True))
        if one != other
    ]
    return {
        "rows": rows,
        "max_tokens": tokens,
        "batch": LOCAL_BATCH,
        "alone_rows_per_s": rows / alone.clock_s,
        "batched_rows_per_s": rows / batched.clock_s,
        "ratio": alone.clock_s / batched.clock_s,
        "ratio_of_each_claim": pairs,
        "ratio_in_processor_time": alone.processor_s / batched.processor_s,
        "same": 1 - len(differing) / rows,
        "differing": differing,
        "sizes": [_size(engine, requests[:LOCAL_CLAIM], size) for size in sizes],
    }


def _size(engine: Any, claim: list[Any], size: int) -> dict[str, Any]:
    side, batches = Side(), -(-len(claim) // size)
    side.timed(lambda: _in_batches(engine, claim, size))
    return {
        "batch": size,
        "rows_per_s": len(claim) / side.clock_s,
        "rows_per_processor_s": len(claim) / side.processor_s,
        "seconds_a_batch": side.clock_s / batches,
    }


def _in_batches(engine: Any, claim: list[Any], size: int) -> list[str]:
    """As a run answers its claim: see drive_local_run."""
    from apps.evaluations.engine.batches import like_lengths

    texts: dict[int, str] = {}
    for batch in like_lengths(list(enumerate(claim)), size, of=lambda numbered: numbered[1]):
        answers = engine.generate([request for _, request in batch])
        texts |= {number: _text(answer) for (number, _), answer in zip(batch, answers, strict=True)}
    return [texts[number] for number in range(len(claim))]


def _request(text: str, tokens: int) -> Any:
    from apps.providers.local_model.folder import MODEL_NAME
    from apps.providers.protocol import CompletionRequest, Message, Parameters

    parameters = Parameters(model=f"local/{MODEL_NAME}", temperature=0.0, max_tokens=tokens)
    return CompletionRequest(MODEL_NAME, (Message("user", text),), parameters)


def _text(answer: Any) -> str:
    if isinstance(answer, Exception):
        raise answer
    return str(answer.text)


def report(found: dict[str, Any]) -> str:
    """The figures in words, differing rows with both texts."""
    pairs = ", ".join(f"{pair:.2f}" for pair in found["ratio_of_each_claim"])
    lines = [
        f"{found['rows']} prompts of mixed length, at most {found['max_tokens']} tokens of answer, greedy",
        f"one at a time        {found['alone_rows_per_s']:.2f} rows/s",
        f"batches of {found['batch']:<9} {found['batched_rows_per_s']:.2f} rows/s",
        f"ratio                {found['ratio']:.2f} × (claim by claim: {pairs}; "
        f"in processor time {found['ratio_in_processor_time']:.2f} ×)",
        f"same text            {found['same']:.1%}, {len(found['differing'])} differ",
    ]
    for row in found["differing"]:
        lines += [f"  row {row['row']}: {row['prompt']}"]
        lines += [f"    alone:   {row['alone']!r}", f"    batched: {row['batched']!r}"]
    for size in found["sizes"]:
        lines.append(
            f"batch of {size['batch']:>2}          {size['rows_per_s']:.2f} rows/s, "
            f"{size['rows_per_processor_s']:.2f} rows a second of processor time, "
            f"{size['seconds_a_batch']:.1f} s a batch"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=48, help="at most so many tokens an answer")
    parser.add_argument("--sizes", default="8,16,32", help="batch sizes to compare, on one claim of rows")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")
    import django

    django.setup()
    sizes = [int(size) for size in chosen.sizes.split(",") if size]
    found = measure(rows=chosen.rows, tokens=chosen.tokens, sizes=sizes)
    print(json.dumps(found, indent=2) if chosen.json else report(found))


if __name__ == "__main__":
    main()
