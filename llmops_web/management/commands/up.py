"""`manage.py up`: the whole stack in the foreground."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.utils import timezone

from llmops_web.stack import preflight
from llmops_web.stack.console import say
from llmops_web.stack.errors import NotReadyInTime
from llmops_web.stack.folder import FolderLock, claim_data_folder
from llmops_web.stack.foreground import run_until_stopped, web_answers
from llmops_web.stack.lifecycle import RunningStack
from llmops_web.stack.readiness import what_does_not_answer
from llmops_web.stack.shape import StackShape, shape_from_settings
from llmops_web.stack.waiting import wait_until

#: A cold start on a slow disk reads some hundred megabytes of Python.
READY_WITHIN_S = 120


class Command(BaseCommand):
    help = "Start the whole stack and stay in the foreground; Ctrl-C stops all of it."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="run the demo as soon as the stack is ready")
        parser.add_argument(
            "--demo-finetune", action="store_true", help="likewise its chapter of fine-tuning"
        )

    def handle(self, *args: Any, demo: bool, demo_finetune: bool, **options: Any) -> None:
        began = time.monotonic()
        preflight.check_python()
        preflight.check_path(settings.DATA_DIR)
        marker = claim_data_folder(settings.STACK)
        lock = FolderLock(settings.STACK)
        lock.acquire()
        try:
            preflight.check_disk(settings.DATA_DIR)
            stack = RunningStack(shape_from_settings(folder_id=marker["id"]))
            chapters = [["demo"]] * demo + [["demo", "--finetune"]] * demo_finetune
            run_until_stopped(stack, start=lambda: self._start(stack, chapters=chapters, began=began))
        finally:
            lock.release()

    def _start(self, stack: RunningStack, *, chapters: list[list[str]], began: float) -> None:
        stack.end_leftovers()
        preflight.check_address(settings.HOST, settings.PORT)
        stack.prepare()
        stack.start_servers()
        stack.run_command("migrate", "--no-input", "--verbosity=0", echo_as="migrate")
        programs_began = timezone.now()
        stack.start_programs()
        self._wait_ready(stack, since=programs_began)
        say("stack", f"Ready in {time.monotonic() - began:.1f} s.")
        for chapter in chapters:
            stack.run_command(*chapter, echo_as="demo")
        for line in announcement(stack.shape):
            say("stack", line)

    def _wait_ready(self, stack: RunningStack, *, since: datetime) -> None:
        """As /readyz sees it, by workers heard since then.

        Raises NotReadyInTime, which names what does not answer.
        """
        missing = ["web"]

        def ready() -> bool:
            stack.require_all_up()
            answers = web_answers(settings.HOST, settings.PORT)
            missing[:] = what_does_not_answer(since=since) if answers else ["web"]
            return not missing

        try:
            wait_until(
                ready,
                seconds=READY_WITHIN_S,
                what="The stack",
                alive=lambda: stack.supervisor_lives,
                every=0.2,
            )
        except NotReadyInTime:
            raise NotReadyInTime(
                f"Of the stack, {', '.join(missing)}",
                READY_WITHIN_S,
                f"See the logs in {settings.STACK.logs}.",
            ) from None
        finally:
            connection.close()


def announcement(shape: StackShape) -> list[str]:
    """The address, the way in for the first admin, and what the operator should know."""
    from apps.core.services import first_admin_link

    lines = ["", f"llmops-web is at  {settings.PUBLIC_URL}"]
    link = first_admin_link()
    connection.close()
    if link:
        lines.append(f"First admin:      {settings.PUBLIC_URL}{link}   (works once)")
    if not preflight.is_loopback(settings.HOST):
        lines.append(
            f"It listens on {settings.HOST}: everybody who can reach this machine can reach it, unencrypted. "
            "Put a TLS proxy before it and set LLMOPS_PRODUCTION=1."
        )
    if shape.postgres or shape.valkey:
        lines.append("Worker machines need an external database, broker and file store: docs/operations.md.")
    return [*lines, "Ctrl-C stops all of it; nothing is lost.", ""]
