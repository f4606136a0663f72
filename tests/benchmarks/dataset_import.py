"""How long 100,000 rows (100 MB) take to import, and how much memory.

Run it with `python -m tests.benchmarks.dataset_import [csv] [jsonl] [parquet]`.

Runs against the database of the settings, in a process of its own for each format, in a project of its own
that it leaves behind archived. The goal: under 60 s on two cores, with less than 200 MB above idle.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROWS = int(os.environ.get("BENCHMARK_ROWS", "100000"))
ROW_BYTES = 1_000
FORMATS = ("csv", "jsonl", "parquet")


def words(count: int, seed: int = 7) -> list[str]:
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(count)]


def rows() -> list[dict[str, str]]:
    rng = random.Random(1)
    vocabulary = words(20_000)
    made = []
    for number in range(ROWS):
        text = " ".join(rng.choices(vocabulary, k=ROW_BYTES // 7))[: ROW_BYTES - 120]
        made.append(
            {
                "id": f"row-{number}",
                "question": text[:700],
                "answer": text[700:],
                "topic": rng.choice(vocabulary[:50]),
                "split": "test",
            }
        )
    return made


def write(path: Path, format: str) -> None:
    made = rows()
    if format == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(made[0]))
            writer.writeheader()
            writer.writerows(made)
    elif format == "jsonl":
        with path.open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in made)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(made), path, compression="none")


def peak_mb() -> float:
    """The most memory this process held at a time. Not getrusage: that starts with the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure(path: Path, format: str) -> None:
    """In a fresh process: import the file, then search and import it again."""
    import django

    django.setup()
    from django.core.files.base import File
    from django.db import connection

    from apps.core.actor import Actor
    from apps.core.models import Project
    from apps.datasets.selectors import example_search, version_get
    from apps.datasets.services import (
        dataset_archive,
        dataset_create,
        import_run,
        import_start,
        import_upload,
    )
    from apps.datasets.services.imports import import_preview

    by = Actor.system()
    slug = f"benchmark-{os.getpid()}-{int(time.time())}"
    project = Project.objects.create(slug=slug, name=slug)
    dataset = dataset_create(project=project, by=by, name="Benchmark")
    idle = peak_mb()

    def run() -> float:
        with path.open("rb") as file:
            begun = time.perf_counter()
            job = import_upload(dataset=dataset, by=by, file=File(file), filename=path.name)
            seen, mapping = import_preview(job)
            import_start(job=job, by=by, seen=seen, mapping=mapping)
            import_run(import_id=job.pk)
        return time.perf_counter() - begun

    first = run()
    above_idle = peak_mb() - idle
    again = run()
    version = version_get(dataset=dataset)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE datasets_example")
    begun = time.perf_counter()
    hits = len(example_search(version, q=f"{words(20_000)[123]} {words(20_000)[456]}")[:50])
    search = time.perf_counter() - begun
    dataset_archive(dataset=dataset, by=by)
    megabytes = path.stat().st_size / 1e6
    print(
        f"| {format} | {version.example_count:,} | {megabytes:.0f} MB | {first:.1f} s | {again:.1f} s "
        f"| {above_idle:.0f} MB | {search * 1000:.0f} ms ({hits} hits) |",
        flush=True,
    )


def main() -> None:
    if len(sys.argv) > 2:
        measure(Path(sys.argv[2]), sys.argv[1])
        return
    print("| format | rows | file | import | again, unchanged | memory above idle | search |")
    print("|---|---|---|---|---|---|---|", flush=True)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmops_web.settings")
    with tempfile.TemporaryDirectory() as folder:
        for format in sys.argv[1:] or FORMATS:
            path = Path(folder) / f"rows.{format}"
            write(path, format)
            subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.dataset_import", format, str(path)], check=True
            )
            path.unlink()


if __name__ == "__main__":
    main()
