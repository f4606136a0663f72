"""The web process stays light: what computes is imported where it is used, in a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    *("torch", "transformers", "sentence_transformers", "scipy", "sklearn", "statsmodels"),
    *("trl", "peft", "accelerate", "datasets", "optuna"),
)


def test_the_web_process_never_loads_torch():
    code = (
        "import sys, llmops_web.asgi, llmops_web.urls\n"
        "from django.urls import get_resolver\n"
        "get_resolver().reverse_dict\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "llmops_web.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
