"""Fine-tuning through a job against the same TRL script run by hand: steps a second, tokens, memory.

    python -m tests.benchmarks.fine_tuning [--pairs 5] [--steps 15]

The embedded model, a LoRA adapter on all linear layers, supervised. A job goes the whole way: REST, Celery,
the worker of the queue `gpu`, its training process, checkpoint, registry. The script is `plain_training.py`,
with the same settings and rows in the same order, so that both end with the same loss. They train in turn
while the stack runs. Speed is the Trainer's own: steps through the seconds of training, with logging and the
checkpoint at its end, without loading, answering the fixed prompt, and registering.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.bench_stack import ROOT, BenchStack, bench_stack
from tests.benchmarks.local_model import prompts

ROWS = 120
_PATIENCE_S = 1800
_OVER = ("completed", "stopped", "cancelled", "failed")


def settings_of(steps: int) -> dict[str, Any]:
    return {
        "max_steps": steps,
        "learning_rate": 2e-4,
        "batch_size": 4,
        "gradient_accumulation": 1,
        "max_length": 256,
        "scheduler": "linear",
        "warmup_ratio": 0.1,
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.05,
        "log_every": 1,
        "save_every": steps,
        "precision": "auto",
        "gradient_checkpointing": "off",
    }


def rows() -> list[dict[str, Any]]:
    """Questions of 5 to 130 words; answers of a sentence."""
    return [
        {
            "prompt": [{"role": "user", "content": text}],
            "completion": [
                {"role": "assistant", "content": f"In short: {text[:60].lower()}, number {place}."}
            ],
        }
        for place, text in enumerate(prompts(ROWS))
    ]


def measure(*, pairs: int, steps: int) -> dict[str, Any]:
    settings = settings_of(steps)
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    with bench_stack() as stack, tempfile.TemporaryDirectory(prefix="llmops-bench-") as folder:
        version = _dataset(stack)
        _job(stack, version, settings_of(2), "Warm up")  # the base is unpacked and registered once
        base = next((stack.data / "models").glob("*/model.safetensors")).parent
        path = Path(folder) / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
        for pair in range(pairs):
            turns = ("job", "script") if pair % 2 == 0 else ("script", "job")
            measured = {
                turn: _job(stack, version, settings, f"Pair {pair}")
                if turn == "job"
                else _script(base, path, Path(folder) / f"out-{pair}", settings)
                for turn in turns
            }
            found.append((measured["job"], measured["script"]))
    return _figures(found, steps=steps)


def _dataset(stack: BenchStack) -> str:
    """The id of the version that holds the rows."""
    stack.api("datasets/", {"name": "bench"})
    lines = [
        {"prompt": row["prompt"], "reference": {"completion": row["completion"]}, "key": f"row-{place}"}
        for place, row in enumerate(rows())
    ]
    raw = "".join(json.dumps(line) + "\n" for line in lines).encode()
    query = "inputs=prompt&reference=reference&key=key"
    answer = stack.api(f"datasets/bench/import/?{query}", raw=raw, kind="application/x-ndjson")
    deadline = time.monotonic() + 300
    while answer.get("version") is None:
        if time.monotonic() > deadline:
            raise TimeoutError("The rows were not imported within five minutes.")
        time.sleep(0.2)
        answer = stack.api(f"datasets/bench/imports/{answer['id']}/")
    return stack.manage(
        "shell",
        "-v0",
        "-c",
        "from apps.datasets.models import DatasetVersion; print(DatasetVersion.objects.get().pk)",
    )


def _job(stack: BenchStack, version: str, settings: dict[str, Any], name: str) -> dict[str, Any]:
    wanted = {"name": name, "base": {"kind": "embedded"}, "dataset_version": version, "start": True}
    more = {"method": "sft", "technique": "lora", "sample_prompts": ["Hello"], "settings": settings}
    job = stack.api("fine-tuning-jobs/", {**wanted, **more})
    deadline = time.monotonic() + _PATIENCE_S
    while job["status"] not in _OVER:
        if time.monotonic() > deadline:
            raise TimeoutError(f"The job {name} is {job['status']} after {_PATIENCE_S} s.")
        time.sleep(0.5)
        job = stack.api(f"fine-tuning-jobs/{job['number']}/")
    if job["status"] != "completed":
        raise RuntimeError(f"The job {name} is {job['status']}: {job['status_reason']}")
    model = stack.api(f"models/{job['version']['name']}/{job['version']['number']}/")
    metrics = model["training_metrics"]
    points = [point["values"] for point in stack.api(f"fine-tuning-jobs/{job['number']}/points/")["results"]]
    speed = metrics["steps_per_second"]
    steps = settings["max_steps"]
    return {
        "steps_per_second": speed,
        "tokens_per_second": metrics["num_tokens"] / steps * speed,
        "memory_bytes": max(point.get("memory_bytes") or 0 for point in points),
        "loss": metrics["loss"],
        "device": job["environment"].get("device", ""),
    }


def _script(base: Path, rows_path: Path, output: Path, settings: dict[str, Any]) -> dict[str, Any]:
    module = "tests.benchmarks.plain_training"
    command = [sys.executable, "-m", module, str(base), str(rows_path), str(output), json.dumps(settings)]
    # Threads that wait asleep, as the job's do: a thread that spins beside other programs is far slower.
    same = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(output.parent / "hub"), "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **same}, stdout=subprocess.PIPE, text=True, check=True
    )
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


def _figures(found: Sequence[tuple[dict[str, Any], dict[str, Any]]], *, steps: int) -> dict[str, Any]:
    ratios = [job["steps_per_second"] / script["steps_per_second"] for job, script in found]

    def middle(side: int, name: str) -> float:
        return median(pair[side][name] for pair in found)

    return {
        "steps": steps,
        "rows": ROWS,
        "device": found[0][0]["device"],
        "ratio": median(ratios),
        "ratios": ratios,
        "job": {name: middle(0, name) for name in ("steps_per_second", "tokens_per_second", "memory_bytes")},
        "script": {
            name: middle(1, name) for name in ("steps_per_second", "tokens_per_second", "memory_bytes")
        },
        "losses": [[job["loss"], script["loss"]] for job, script in found],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=15)
    options = parser.parse_args()
    print(json.dumps(measure(pairs=options.pairs, steps=options.steps), indent=1))


if __name__ == "__main__":
    main()
