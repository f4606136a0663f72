"""`manage.py worker --queues llm,local`: workers alone, on a machine beside the one with the web server."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from llmops_web.stack import preflight
from llmops_web.stack.console import say
from llmops_web.stack.errors import NeedsExternal
from llmops_web.stack.folder import FolderLock, claim_data_folder
from llmops_web.stack.foreground import run_until_stopped
from llmops_web.stack.lifecycle import RunningStack
from llmops_web.stack.shape import shape_from_settings
from llmops_web.stack.waiting import wait_until
from llmops_web.stack.watchdog import silent_pids

#: What all machines of one installation share; docs/operations.md says where each comes from.
SHARED = ("DATABASE_URL", "BROKER_URL", "LLMOPS_FILES_DIR", "LLMOPS_SECRET_KEY", "LLMOPS_KEY_RING")


class Command(BaseCommand):
    help = "Serve queues on this machine; database, broker, files and keys are those of the installation."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queues", required=True, help=f"which, by comma: {','.join(settings.QUEUES)}")

    def handle(self, *args: Any, queues: str, **options: Any) -> None:
        names = [name.strip() for name in queues.split(",") if name.strip()]
        unknown = [name for name in names if name not in settings.QUEUES]
        if unknown or not names:
            raise CommandError(
                f"There is no queue {unknown or queues!r}; there are {', '.join(settings.QUEUES)}."
            )
        missing = [name for name in SHARED if not os.environ.get(name)]
        if os.environ.get("LLMOPS_S3_BUCKET"):
            missing = [name for name in missing if name != "LLMOPS_FILES_DIR"]
        if missing:
            raise NeedsExternal(missing)
        marker = claim_data_folder(settings.STACK)
        lock = FolderLock(settings.STACK)
        lock.acquire()
        try:
            preflight.check_disk(settings.DATA_DIR)
            stack = RunningStack(shape_from_settings(folder_id=marker["id"], queues=names))
            run_until_stopped(stack, start=lambda: self._start(stack))
        finally:
            lock.release()

    def _start(self, stack: RunningStack) -> None:
        began = time.monotonic()
        stack.end_leftovers()
        stack.prepare()
        stack.start_servers()
        stack.start_programs()
        wait_until(
            lambda: _all_heard(stack),
            seconds=120,
            what="The workers",
            alive=lambda: stack.supervisor_lives,
            every=0.5,
        )
        connection.close()
        say("stack", f"Serving {', '.join(stack.shape.queues)} after {time.monotonic() - began:.1f} s.")


def _all_heard(stack: RunningStack) -> bool:
    pids = [state.pid for state in stack.control.states().values() if state.pid]
    return len(pids) == len(stack.shape.workers) and not silent_pids(pids)
