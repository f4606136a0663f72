"""Supervisor's own daemon, with our voice: each program's lines carry its name, and each fall is told.

Run by `manage.py up` as its child, with the configuration's path.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from supervisor import events
from supervisor.medusa.asyncore_25 import ExitNow
from supervisor.options import ServerOptions
from supervisor.supervisord import Supervisor

from llmops_web.stack.child import die_with_parent, note_down
from llmops_web.stack.console import LineSplitter, say, worth_saying


class TalkingSupervisor(Supervisor):  # type: ignore[misc]
    """`run` clears all subscriptions first, so ours are made when the event of having started comes."""

    def __init__(self, options: ServerOptions) -> None:
        super().__init__(options)
        self._splitters: dict[str, LineSplitter] = {}

    def runforever(self) -> None:
        events.subscribe(events.ProcessLogEvent, self._on_output)
        events.subscribe(events.ProcessStateExitedEvent, self._on_exit)
        events.subscribe(events.ProcessStateBackoffEvent, self._on_backoff)
        super().runforever()

    def _on_output(self, event: events.ProcessLogEvent) -> None:
        name = event.process.config.name
        splitter = self._splitters.setdefault(name, LineSplitter())
        for line in splitter.feed(event.data):
            if worth_saying(name, line):
                say(name, line)

    def _on_exit(self, event: events.ProcessStateExitedEvent) -> None:
        say("stack", f"{event.process.config.name} ended by itself; starting it again.")

    def _on_backoff(self, event: events.ProcessStateBackoffEvent) -> None:
        process = event.process
        wait = max(1, int(process.backoff))
        say("stack", f"{process.config.name} ended right after its start; starting it again in {wait} s.")


def main(configuration: str) -> None:
    die_with_parent(signal.SIGTERM, int(os.environ["LLMOPS_STACK_PARENT"]))
    note_down("supervisor", Path(os.environ["LLMOPS_STACK_RUN"]))
    options = ServerOptions()
    options.realize(["-c", configuration])
    options.first, options.test = True, False
    try:
        TalkingSupervisor(options).main()
    except ExitNow:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
