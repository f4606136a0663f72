"""`manage.py demo`: run the demo A/B on a stack that is up (`make demo` starts one first).

With `--finetune` it trains the embedded model on the demo's corrections instead, and compares it with the
model that it was.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from apps.evaluations.models import Comparison
from llmops_web.demo import content
from llmops_web.demo.fine_tuning import run_fine_tuning
from llmops_web.demo.running import DemoFailed, run_demo
from llmops_web.demo.sign_in import sign_in_lines


class Command(BaseCommand):
    help = "Make the demo project if it is not there, run its A/B or its training, and print the comparison."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--finetune", action="store_true", help="train on the demo's corrections")

    def handle(self, *args: Any, finetune: bool, **options: Any) -> None:
        try:
            lines = self._fine_tuned() if finetune else [_page(run_demo(self._say).comparison)]
        except DemoFailed as exc:
            raise CommandError(str(exc)) from exc
        except KeyboardInterrupt:
            text = (
                "Not followed any longer. What was begun goes on in the workers; the same command finds it."
            )
            raise CommandError(text, returncode=130) from None
        for line in [*lines, *sign_in_lines()]:
            self._say(line)

    def _fine_tuned(self) -> list[str]:
        # It takes minutes, and whoever waits may watch it in the browser.
        for line in [f"Watch     {settings.PUBLIC_URL}{_jobs()}", *sign_in_lines()]:
            self._say(line)
        made = run_fine_tuning(self._say)
        comparison = made.measurement.comparison
        assert comparison is not None
        job = reverse("training:job-detail", args=[content.PROJECT_SLUG, made.job.number])
        return [_page(comparison), f"Training  {settings.PUBLIC_URL}{job}"]

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _jobs() -> str:
    return reverse("training:job-list", args=[content.PROJECT_SLUG])


def _page(comparison: Comparison) -> str:
    page = reverse("evaluations:comparison-detail", args=[content.PROJECT_SLUG, comparison.number])
    return f"Open      {settings.PUBLIC_URL}{page}"
