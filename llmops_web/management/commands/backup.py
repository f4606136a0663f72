"""`manage.py backup FILE`: database, files and keys into one file, while the stack runs or not."""

from __future__ import annotations

from argparse import ArgumentParser
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from llmops_web.stack.archive import DUMP, FILES, KEYS, ArchiveWriter, writing
from llmops_web.stack.dumping import dump_database, embedded_database


class Command(BaseCommand):
    help = "Write database, files and keys into one file; whoever has it can read all secrets."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        target = file.expanduser().absolute()
        with (
            writing(target) as archive,
            TemporaryDirectory(dir=settings.DATA_DIR, prefix="backup-") as folder,
        ):
            dump = Path(folder) / DUMP
            server = (
                embedded_database(settings.STACK, may_run=True)
                if settings.EMBEDDED_DATABASE
                else nullcontext()
            )
            with server:
                dump_database(settings.DATABASES["default"], dump)
            archive.add_file(DUMP, dump)
            for key in KEYS:
                archive.add_file(key, settings.DATA_DIR / key)
            # After the database: every file that its snapshot names is there by now.
            count = _add_files(archive, Path(settings.MEDIA_ROOT))
        size_mb = target.stat().st_size / 1_000_000
        self.stdout.write(
            f"Wrote {target} ({size_mb:.1f} MB, {count} files). It holds the keys: keep it safe."
        )
        if "OPTIONS" in settings.STORAGES["default"]:
            bucket = settings.STORAGES["default"]["OPTIONS"]["bucket_name"]
            self.stdout.write(f"Files are in the bucket {bucket} and not in it: back that up, too.")
        if settings.KEY_RING:
            self.stdout.write("The key ring comes from LLMOPS_KEY_RING and is not in it: keep that, too.")


def _add_files(archive: ArchiveWriter, root: Path) -> int:
    paths = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())
    return sum(archive.add_file(f"{FILES}/{path.relative_to(root).as_posix()}", path) for path in paths)
