"""Which worker processes a stack consists of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from llmops_web.stack.shape import StackShape


def names(queues, **options):
    shape = StackShape(
        paths=None, root=Path("/"), queues=queues, web=None, postgres=None, valkey=None, **options
    )
    return [program.name for program in shape.workers]


def test_queues_have_a_process_each_or_share_as_many_as_one_of_them_asks():
    assert names(["gpu", "llm"], gpu_workers=2) == ["worker-gpu", "worker-gpu-2", "worker-llm"]
    assert names(["default,llm", "gpu"], llm_workers=2) == [
        "worker-default-llm",
        "worker-default-llm-2",
        "worker-gpu",
    ]


def test_a_queue_without_a_worker_is_refused_at_the_start(settings, tmp_path):
    environment = {
        **os.environ,
        "LLMOPS_WORKERS": "default,interactive llm",
        "LLMOPS_DATA_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", "import llmops_web.settings"],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert "LLMOPS_WORKERS must name each queue once: default interactive llm local gpu." in done.stderr
