"""The faults that `make faults` lets loose on a run, and why each is survived."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.faults_stack import Scene

#: How long what was taken away stays away.
OUTAGE_S = 5.0
#: Longer than a lease: others take up what the frozen worker held.
FROZEN_S = 20.0


@dataclass(frozen=True)
class Drill:
    """`provider` is how the paced provider answers meanwhile, `strike` what befalls the stack while the runs
    are under way, `undo` puts back what the stack would not put back by itself.
    """

    name: str
    title: str
    survived: str
    provider: Mapping[str, Any] = field(default_factory=dict)
    strike: Callable[[Scene], None] = lambda scene: None
    undo: Callable[[Scene], None] = lambda scene: None
    runs: int = 1


def _kill_workers_in_turn(scene: Scene) -> None:
    scene.at(0.25, lambda: scene.stack.end("worker-llm"))
    scene.at(0.6, lambda: scene.stack.end("worker-llm-2"))


def _freeze_a_worker(scene: Scene) -> None:
    scene.at(0.25, lambda: scene.stack.freeze("worker-llm", seconds=FROZEN_S))


def _kill_all_workers(scene: Scene) -> None:
    stack, workers = scene.stack, scene.stack.workers

    def strike() -> None:
        stack.end(*workers)
        stack.hold_down(workers)
        time.sleep(OUTAGE_S)  # the length of the outage
        stack.let_up(workers)

    scene.at(0.3, strike)


def _lose_the_broker(scene: Scene) -> None:
    def strike() -> None:
        scene.stack.empty_broker_folder()
        scene.stack.end("valkey")
        scene.stack.hold_down(["valkey"])
        scene.start_run()
        time.sleep(OUTAGE_S)  # the length of the outage
        scene.stack.let_up(["valkey"])

    scene.at(0.3, strike)


def _stop_the_database(scene: Scene) -> None:
    def strike() -> None:
        scene.stack.end("postgres", by=signal.SIGQUIT)  # Postgres's immediate mode
        scene.stack.hold_down(["postgres"])
        time.sleep(OUTAGE_S)  # the length of the outage
        scene.stack.let_up(["postgres"])

    scene.at(0.3, strike)


def _kill_beat(scene: Scene) -> None:
    def strike() -> None:
        scene.stack.end("beat")
        scene.stack.hold_down(["beat"])

    scene.at(0.1, strike)
    scene.at(0.3, lambda: scene.stack.end("worker-llm", "worker-llm-2"))


def _kill_the_stack(scene: Scene) -> None:
    def strike() -> None:
        scene.stack.kill_everything()
        scene.stack.start()

    scene.at(0.3, strike)


def _cancel_and_resume(scene: Scene) -> None:
    def strike() -> None:
        run = scene.runs[0]
        scene.stack.insist(f"eval-runs/{run}/cancel/", {})
        scene.stack.insist(f"eval-runs/{run}/resume/", {})

    for share in (0.2, 0.4, 0.7):
        scene.at(share, strike)


DRILLS = (
    Drill(
        "worker",
        "kill -9 of a worker in mid-batch (each of two, one after the other)",
        "Each row in work carries a lease that its worker renews every second. A dead worker renews "
        "nothing: after 15 s its rows are free, and whoever drives the run claims them again. If it was "
        "the driver who died, a sweep finds the run by its own lease and sends its next turn. The "
        "supervisor starts the worker anew. The answers that were under way are asked for again, hence "
        "more calls than rows.",
        strike=_kill_workers_in_turn,
    ),
    Drill(
        "frozen",
        f"a worker frozen in mid-batch, going on after {FROZEN_S:.0f} s",
        "The other worker takes up its rows when their leases have run out. The frozen one comes back with "
        "answers in hand, and writes none whose row has been taken up: each write names the claim it was "
        "made under, and that claim is gone.",
        strike=_freeze_a_worker,
    ),
    Drill(
        "all-workers",
        f"kill -9 of all workers, started {OUTAGE_S:.0f} s later",
        "Nothing about a run lives in a worker. The messages of the broker that the dead workers had "
        "taken are lost with them; the workers that come up sweep the database, find the run without a "
        "driver, and go on.",
        strike=_kill_all_workers,
    ),
    Drill(
        "broker",
        f"Valkey killed, its data removed, back {OUTAGE_S:.0f} s later; a second run begun meanwhile",
        "The broker only carries messages that say where to look in the database. Those that were lost "
        "are sent again by the sweep. The limiter of calls lives there too: without it each worker "
        "makes a few calls at a time, and it learns the provider's limit anew.",
        strike=_lose_the_broker,
    ),
    Drill(
        "database",
        f"Postgres stopped in immediate mode, started {OUTAGE_S:.0f} s later",
        "A batch of answers is one transaction: it is there with its scores and spans, or not at all. "
        "What had been committed, Postgres recovers from its log. Workers fail what they were doing, "
        "connect again, and the rows whose answers could not be stored are asked for again.",
        strike=_stop_the_database,
    ),
    Drill(
        "beat",
        "beat killed and kept down, both workers for calls killed after it",
        "The clock only makes sweeps more frequent: every worker sweeps by itself too, every 10 to 20 "
        "s, one at a time under a lock of the database. That finds the run of the killed workers.",
        strike=_kill_beat,
        undo=lambda scene: scene.stack.let_up(["beat"]),
    ),
    Drill(
        "limited",
        "30% of answers are 429 with Retry-After",
        "The wait is kept in the database as the time of the row's next try, so no worker sleeps on it. "
        "A 429 is no fault of the row, which may be told so a hundred times, and it cuts the calls at "
        "once for everybody who uses the credential: that, and not the repeated calls, is where the "
        "time goes.",
        provider={"fault": "429", "share": 0.3, "retry_after_s": 1.0},
    ),
    Drill(
        "errors",
        "10% of answers are 500",
        "Each is kept as a try with its error, and tried again after 1, 2, 4, 8 … s, up to eight times. "
        "While there are errors the calls at once do not grow.",
        provider={"fault": "500", "share": 0.1},
    ),
    Drill(
        "resets",
        "10% of connections are reset",
        "As with errors of the provider: a connection that breaks is a try, and the next one uses another.",
        provider={"fault": "reset", "share": 0.1},
    ),
    Drill(
        "hangs",
        "5% of answers hang past the time-out",
        "The provider's time-out (2 s here) bounds the whole call. Then it counts as a try. A slow call "
        "takes the place of one call; the others go on.",
        provider={"fault": "hang", "share": 0.05, "hang_s": 30.0},
    ),
    Drill(
        "garbage",
        "10% of answers are not JSON, or are cut off",
        "An HTML page with status 200, a connection that ends in the middle of the body, half a JSON "
        "document: none is taken for an answer, each is a try. A shortened answer is never stored.",
        provider={"fault": "not-json,cut,half", "share": 0.1},
    ),
    Drill(
        "stack",
        "the whole stack killed with -9, and started again",
        "As when the power fails: the database comes back by its log, the broker from its file, and the "
        "first sweep finds the run. Starting again waits for whatever the dead stack may have left "
        "running.",
        strike=_kill_the_stack,
    ),
    Drill(
        "cancel",
        "a run cancelled and resumed, three times, while another runs beside it",
        "Cancelling takes the leases away in the same transaction: an answer that comes in later finds "
        "that its token no longer fits and is dropped, so the resumed run may ask again and store once. "
        "Both lock rows in the order of their keys, so that neither waits for the other in a circle.",
        strike=_cancel_and_resume,
        runs=2,
    ),
)
