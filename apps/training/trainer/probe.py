"""`python -m apps.training.trainer.probe [DEVICE]`: what this machine trains with, and how fast it counts.

Prints one JSON object: the facts of the device, "flops" (multiplications and additions a second in large
matrices, by number format), and the versions of the libraries. Takes two seconds of measuring at most.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

#: Of one multiplication; large enough that starting it costs nothing, small enough for a slow core.
_SIZE = {"cpu": 512, "cuda": 4096}
_SECONDS = 0.5


def measured_flops(device: str, dtype: Any, size: int) -> float:
    """2·n³ for each product of two n×n matrices, by the best of several rounds' rates."""
    import torch

    left = torch.randn(size, size, device=device, dtype=dtype)
    right = torch.randn(size, size, device=device, dtype=dtype)
    _ = left @ right  # the first one also chooses the algorithm
    best, began = 0.0, time.perf_counter()
    while time.perf_counter() - began < _SECONDS:
        _wait(device)
        started = time.perf_counter()
        _ = left @ right
        _wait(device)
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


def _wait(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def probe(wanted: str = "auto") -> dict[str, Any]:
    import torch

    from apps.training.trainer.devices import device_facts
    from apps.training.trainer.training import PACKAGES

    facts = device_facts(wanted)
    formats = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if facts.on_gpu and facts.bf16 else {})
    return {
        **asdict(facts),
        "flops": {
            name: measured_flops(facts.kind, dtype, _SIZE[facts.kind]) for name, dtype in formats.items()
        },
        "packages": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    print(json.dumps(probe(*sys.argv[1:2])), flush=True)
