"""manage.py create_api_key --project SLUG --role ROLE --name NAME [--expires-days N]"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.errors import ProductError
from apps.core.models import Project
from apps.core.roles import Role
from apps.core.services import api_key_create, project_create


class Command(BaseCommand):
    help = "Make an API key and print it, nothing else: it cannot be shown again. Makes the project, too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, metavar="SLUG", help="the project's slug")
        parser.add_argument("--role", required=True, choices=Role.labels)
        parser.add_argument("--name", required=True, help="who or what will use the key")
        parser.add_argument(
            "--expires-days", type=int, metavar="N", help="the key ends after N days; never if absent"
        )

    def handle(self, **options: Any) -> None:
        by, slug, days = Actor.system("command line"), options["project"], options["expires_days"]
        if days is not None and not 0 < days < 36_500:
            raise CommandError("--expires-days takes a number of days from 1 to 36499.")
        try:
            project = Project.objects.filter(slug=slug).first() or project_create(by=by, name=slug, slug=slug)
            _, key = api_key_create(
                project=project,
                by=by,
                name=options["name"],
                role=Role.from_name(options["role"]),
                expires_at=timezone.now() + timedelta(days=days) if days else None,
            )
        except ProductError as exc:
            raise CommandError(exc.detail) from exc
        self.stdout.write(key)
