"""Published data that some tests read, beside the checkout or in $LLMOPS_TEST_DATA; never part of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

REAL = Path(os.environ.get("LLMOPS_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
GSM8K_SYSTEMS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def read_lines(name: str) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines; skips the test where the data are not there."""
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return [json.loads(line) for line in path.read_text().splitlines()]


def gsm8k_solutions() -> list[dict[str, Any]]:
    """1,319 rows: question, ground_truth, and for each system {solution, is_correct}."""
    return read_lines("gsm8k/example_model_solutions.jsonl")


class RecordedSystems:
    """The four systems of GSM8K, recorded in a project over REST and scored by its workers."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx2.Client(
            base_url=f"{url}/api/v1/", headers={"Authorization": f"Bearer {key}"}, timeout=120
        )

    def record(self, rows: list[dict[str, Any]]) -> dict[str, str]:
        """Import the questions, post each system's solutions, score them; the run of each system."""
        self._post("datasets/", {"name": "Grade school maths"})
        lines = [
            {
                "number": f"q{place:04}",
                "question": row["question"],
                "answer": row["ground_truth"],
                "steps": str(min(row["ground_truth"].count("<<"), 6)),
            }
            for place, row in enumerate(rows)
        ]
        self._check(
            self.http.post(
                "datasets/grade-school-maths/import/",
                params={"inputs": "question", "reference": "answer", "metadata": "steps", "key": "number"},
                content="\n".join(json.dumps(line) for line in lines),
                headers={"Content-Type": "application/x-ndjson"},
            )
        )
        self._post("evaluators/", {"name": "Right answer", "kind": "numeric_match", "config": {}})
        self._post("prompts/", {"name": "Solve"})
        runs = {system: self._run(system, rows) for system in GSM8K_SYSTEMS}
        for run in runs.values():
            self._wait(f"eval-runs/{run}/", lambda found: found["status"] == "completed" and found["metrics"])
        return runs

    def compare(self, baseline: str, candidates: list[str], **fields: Any) -> dict[str, Any]:
        made = self._post("comparisons/", {"baseline": baseline, "candidates": candidates, **fields})
        return self._wait(
            f"comparisons/{made['id']}/",
            lambda found: found["candidates"] and found["candidates"][0]["metrics"],
        )

    def _run(self, system: str, rows: list[dict[str, Any]]) -> str:
        words = f"Solve this as {system} would: {{{{ question }}}}"
        version = self._post("prompts/solve/versions/", {"messages": [{"role": "user", "content": words}]})
        made = self._post(
            "eval-runs/",
            {
                "name": system,
                "prompt": "solve",
                "prompt_version": version["number"],
                "dataset": "grade-school-maths",
                "evaluators": ["right-answer"],
                "recorded": True,
            },
        )
        results = [
            {"key": f"q{place:04}", "output": row[system]["solution"]} for place, row in enumerate(rows)
        ]
        for start in range(0, len(results), 500):
            self._check(self.http.post(f"eval-runs/{made['id']}/results/", json=results[start : start + 500]))
        self._check(self.http.post(f"eval-runs/{made['id']}/finish/"))
        return str(made["id"])

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        return self._check(self.http.post(path, json=body)).json()

    def _wait(self, path: str, done: Any, seconds: float = 180) -> dict[str, Any]:
        ends = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self._check(self.http.get(path)).json()
            if done(found):
                return found
            assert time.monotonic() < ends, f"{path} did not come to its end: {found}"
            time.sleep(0.2)

    @staticmethod
    def _check(answer: httpx2.Response) -> httpx2.Response:
        assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text}"
        return answer
