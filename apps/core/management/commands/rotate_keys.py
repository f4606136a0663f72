"""manage.py rotate_keys [--re-encrypt-only]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.crypto import re_encrypt_all, rotate_key_ring
from apps.core.errors import ProductError


class Command(BaseCommand):
    help = "Put a new key into the key ring and encrypt every stored secret under it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--re-encrypt-only",
            action="store_true",
            help="use the newest key there is; for a ring set by variable",
        )

    def handle(self, **options: Any) -> None:
        try:
            count = re_encrypt_all() if options["re_encrypt_only"] else rotate_key_ring()
        except ProductError as exc:
            raise CommandError(exc.detail) from exc
        self.stdout.write(f"{count} stored secret{'' if count == 1 else 's'} encrypted under the newest key.")
