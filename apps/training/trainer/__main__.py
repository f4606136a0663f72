"""`python -m apps.training.trainer FOLDER`: train as the folder's spec says, and tell of it in its events.

Ends with 0 when the training ended (done or stopped), with 3 when it failed and the events say why.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from apps.training.trainer.events import EventWriter
from apps.training.trainer.failures import Circumstances, failure_of
from apps.training.trainer.spec import EXIT_DONE, EXIT_TOLD_FAILURE, BadSpecError, TrainerSpec, read_spec


def prepare_environment(folder: Path, device: str) -> None:
    """Before torch is loaded: no hub is asked, nothing is kept elsewhere, only the device is seen."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("HF_HOME", str(folder / "cache"))
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # the same sums in the same order
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def main(folder: Path) -> int:
    events = EventWriter(folder)
    try:
        spec = read_spec(folder)
        prepare_environment(folder, spec.device)
        return _train(spec, folder, events)
    except BadSpecError as error:
        events.tell("failure", kind="other", message=str(error), advice=[], trace="")
        return EXIT_TOLD_FAILURE
    finally:
        events.close()


def _train(spec: TrainerSpec, folder: Path, events: EventWriter) -> int:
    circumstances = Circumstances(spec.method, spec.technique, spec.settings)
    training = None
    try:
        from apps.training.trainer.training import Training

        training = Training(spec, folder, events)
        training.run()
        return EXIT_DONE
    except BadSpecError:
        raise
    except Exception as error:
        traceback.print_exc()
        failure = failure_of(error, training.circumstances if training else circumstances)
        events.tell(
            "failure",
            kind=failure.kind,
            message=failure.message,
            advice=failure.advice,
            trace=traceback.format_exc(limit=-12),
        )
        return EXIT_TOLD_FAILURE


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
