"""`manage.py demo`: run the demo A/B on a stack that is up (`make demo` starts one first)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from llmops_web.demo import content
from llmops_web.demo.running import DemoFailed, run_demo
from llmops_web.demo.sign_in import sign_in_lines


class Command(BaseCommand):
    help = "Make the demo project if it is not there, run its A/B, and print the comparison."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            demo = run_demo(self._say)
        except DemoFailed as exc:
            raise CommandError(str(exc)) from exc
        page = reverse("evaluations:comparison-detail", args=[content.PROJECT_SLUG, demo.comparison.number])
        for line in [f"Open      {settings.PUBLIC_URL}{page}", *sign_in_lines()]:
            self._say(line)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
