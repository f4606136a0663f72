"""`manage.py restore FILE`: bring a backup back into an empty stack."""

from __future__ import annotations

import shlex
import shutil
from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from llmops_web.stack.archive import DUMP, FILES, KEYS, unpack
from llmops_web.stack.dumping import embedded_database, load_database
from llmops_web.stack.errors import StackError


class NotEmpty(StackError):
    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is not empty. A backup is restored into an empty stack only: "
            "point LLMOPS_DATA_DIR (and DATABASE_URL) at a new one."
        )


class Command(BaseCommand):
    help = "Bring database, files and keys back from a backup, into an empty LLMOPS_DATA_DIR."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        files = Path(settings.MEDIA_ROOT)
        if files.exists() and any(files.iterdir()):
            raise NotEmpty(f"The folder {files}")
        staging = settings.DATA_DIR / "restore.partial"
        shutil.rmtree(staging, ignore_errors=True)  # of a restore that was broken off
        staging.mkdir(mode=0o700)
        try:
            unpack(file.expanduser().absolute(), staging)
            embedded = settings.EMBEDDED_DATABASE
            with embedded_database(settings.STACK, may_run=False) if embedded else nullcontext():
                _require_empty_database()
                _load(staging, files)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        self.stdout.write(f"Restored {file} into {settings.DATA_DIR}. Start it with:\n  {start_command()}")
        self.stdout.write("Add PORT=… when the stack that it was taken from still runs on this machine.")


def start_command() -> str:
    """What starts the restored stack from any shell; a password is not repeated."""
    command = f"LLMOPS_DATA_DIR={shlex.quote(str(settings.DATA_DIR))} make up"
    return command if settings.EMBEDDED_DATABASE else f"DATABASE_URL=… {command}"


def _require_empty_database() -> None:
    try:
        if connection.introspection.table_names():
            raise NotEmpty("The database")
    finally:
        connection.close()


def _load(staging: Path, files: Path) -> None:
    """The database comes last: as long as it is empty, the restore can be repeated."""
    if (staging / FILES).exists():
        files.parent.mkdir(parents=True, exist_ok=True)
        if files.exists():
            files.rmdir()
        shutil.move(staging / FILES, files)
    try:
        load_database(settings.DATABASES["default"], staging / DUMP)
    except BaseException:
        shutil.rmtree(files, ignore_errors=True)
        raise
    for key in KEYS:
        if (staging / key).exists():
            (staging / key).replace(settings.DATA_DIR / key)
