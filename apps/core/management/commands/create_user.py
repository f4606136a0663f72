"""manage.py create_user --email EMAIL [--name NAME] [--admin] [--password-stdin]"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.accounts import password_reset_link, user_create
from apps.core.actor import Actor
from apps.core.errors import ProductError


class Command(BaseCommand):
    help = (
        "Make an account. With --password-stdin the password is the first line of standard input; "
        "without it, the path of a link is printed at which the person sets one (once, within a day)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="", help="as others see it")
        parser.add_argument("--admin", action="store_true", help="a superuser: admin of every project")
        parser.add_argument("--password-stdin", action="store_true")

    def handle(self, **options: Any) -> None:
        by = Actor.system("command line")
        password = sys.stdin.readline().rstrip("\r\n") if options["password_stdin"] else None
        try:
            user = user_create(
                by=by,
                email=options["email"],
                name=options["name"],
                password=password,
                superuser=options["admin"],
            )
            if password is None:
                self.stdout.write(password_reset_link(by=by, user=user))
        except ProductError as exc:
            raise CommandError(exc.detail) from exc
