"""What the tests import, compiled once: `python -m tests.compiling`, after packages were installed.

Packages are installed without compiling, which would compile much that nobody imports. Without this each of
the processes that begin together would compile the same modules.
"""

from __future__ import annotations

import os
import subprocess
import sys

_TRAINING = "import torch, transformers, trl, peft, datasets, transformers.models.llama.modeling_llama"


def main() -> int:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    commands = (["-m", "pytest", "--collect-only", "-qq", "tests"], ["-c", _TRAINING])
    started = [
        subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    for process in started:
        process.wait()  # what cannot be imported is told by the tests
    return 0


if __name__ == "__main__":
    sys.exit(main())
