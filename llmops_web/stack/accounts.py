"""Postgres refuses to run as root: which account it runs under instead, and what that one may read."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEDICATED = "llmops-postgres"


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int


def postgres_account() -> Account | None:
    """None when we are not root and need no other account.

    As root: a system account of our own, made on first use; where it cannot be made (no useradd,
    a read-only /etc), `nobody`.
    """
    if os.getuid() != 0:
        return None
    for name in (DEDICATED, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            if name == DEDICATED and _create_system_account(name):
                entry = pwd.getpwnam(name)
            else:
                continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    return Account("nobody", 65534, 65534)


def _create_system_account(name: str) -> bool:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return False
    command = [
        useradd,
        "--system",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
    ]
    made = subprocess.run([*command, name], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return made.returncode == 0 or _exists(name)  # another stack may have made it meanwhile


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def anyone_may_read(path: Path) -> bool:
    """Whether every folder on the way to it can be entered by everybody, and it be listed."""
    resolved = path.resolve()
    if not resolved.stat().st_mode & stat.S_IROTH:
        return False
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (resolved, *resolved.parents))
