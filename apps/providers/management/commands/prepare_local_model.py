"""Convert the embedded model beforehand, so that the first call does not wait for it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.providers.local_model.folder import LocalModelUnavailable, model_folder


class Command(BaseCommand):
    help = "Convert the embedded model to a model folder in the data folder, once."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            folder = model_folder(settings.STACK.models)
        except (LocalModelUnavailable, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The model {folder.name} is ready.")
