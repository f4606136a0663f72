"""The examples of the benchmarks: numbered questions whose right answers the paced provider gives."""

from __future__ import annotations

import json

from tests.benchmarks.paced_provider import answer_to


def question(number: int) -> str:
    return f"Question {number}: what follows from it?"


def as_jsonl(rows: int) -> bytes:
    return b"".join(
        json.dumps({"key": f"q{n}", "question": question(n), "answer": answer_to(question(n))}).encode()
        + b"\n"
        for n in range(rows)
    )
