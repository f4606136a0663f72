"""Secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256) under a key ring that can be rotated.

The ring is a JSON list of keys, newest first: the first encrypts, all decrypt. It comes from the
variable LLMOPS_KEY_RING, else from the file key_ring.json in the data folder.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from apps.core.errors import ProductError
from apps.core.secret_files import replace_secret, write_secret_if_absent

Rotate = Callable[[str], str]
_encrypted_columns: list[tuple[type[models.Model], str]] = []
_rotation_hooks: list[Callable[[Rotate], int]] = []


class UndecipherableSecret(ProductError):
    code = "undecipherable_secret"
    title = "A stored secret cannot be read"
    status = 500


def register_encrypted(model: type[models.Model], field: str) -> None:
    """Name a column that holds what `encrypt` gave, so that a rotation finds it."""
    if (model, field) not in _encrypted_columns:
        _encrypted_columns.append((model, field))


def on_rotation(hook: Callable[[Rotate], int]) -> None:
    """Register a function for secrets that lie elsewhere than in a column of their own.

    It gets a function that encrypts a token anew, and returns how many tokens it put back.
    """
    if hook not in _rotation_hooks:
        _rotation_hooks.append(hook)


def encrypt(text: str) -> str:
    return _ring().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    try:
        return _ring().decrypt(token.encode()).decode()
    except InvalidToken as exc:
        raise UndecipherableSecret(
            "The key ring has no key that opens this secret. Restore the key ring the secret was saved "
            "with, or enter the secret again."
        ) from exc


def key_ring_keys() -> list[str]:
    """The keys of the ring, newest first; made with one key when there is none yet."""
    if settings.KEY_RING:
        return list(json.loads(settings.KEY_RING))
    path = settings.KEY_RING_FILE
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret_if_absent(path, json.dumps([Fernet.generate_key().decode()]))
    return list(json.loads(path.read_text()))


def rotate_key_ring() -> int:
    """Put a new key first and encrypt every stored secret anew. Returns the number of secrets.

    The key before it stays in the ring until the next rotation, so that a secret which was being saved
    meanwhile stays readable; older ones leave. Running processes see the new ring by the file's change.
    """
    if settings.KEY_RING:
        raise ProductError(
            "The key ring is set by LLMOPS_KEY_RING. Put a new key first in that list, restart, "
            "and run this command again with --re-encrypt-only."
        )
    with _one_rotation_at_a_time():
        new_key = Fernet.generate_key().decode()
        old_keys = key_ring_keys()
        replace_secret(settings.KEY_RING_FILE, json.dumps([new_key, *old_keys]))
        count = re_encrypt_all()
        replace_secret(settings.KEY_RING_FILE, json.dumps([new_key, old_keys[0]]))
    return count


@contextmanager
def _one_rotation_at_a_time() -> Iterator[None]:
    """Two at once would each drop the key that the other has just encrypted under."""
    path = settings.KEY_RING_FILE
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def re_encrypt_all() -> int:
    """Encrypt every registered secret under the newest key; the number of secrets.

    Raises UndecipherableSecret, which names the row, when the ring has no key for one.
    """
    count = 0
    for model, field in _encrypted_columns:
        for pk, token in model._default_manager.exclude(**{field: ""}).values_list("pk", field).iterator():
            fresh = _rotate(token, f"{model._meta.verbose_name} {pk}")
            # Only if it is still the same: a secret entered meanwhile is newer than what was read.
            count += model._default_manager.filter(pk=pk, **{field: token}).update(**{field: fresh})
    return count + sum(hook(_rotate) for hook in _rotation_hooks)


def _rotate(token: str, where: str = "a second factor") -> str:
    try:
        return _ring().rotate(token.encode()).decode()
    except InvalidToken as exc:
        raise UndecipherableSecret(
            f"The key ring has no key that opens the secret of {where}. Restore the key ring it was saved "
            "with, or enter that secret again; then run this again. No key has been dropped."
        ) from exc


def _ring() -> MultiFernet:
    if settings.KEY_RING:
        return MultiFernet([Fernet(key) for key in key_ring_keys()])
    if not settings.KEY_RING_FILE.exists():
        key_ring_keys()  # made now, so that what is remembered is what lies on the disk
    status = settings.KEY_RING_FILE.stat()
    return MultiFernet([Fernet(key) for key in _keys_of_file((status.st_mtime_ns, status.st_ino))])


@lru_cache(maxsize=2)
def _keys_of_file(stamp: tuple[int, int]) -> list[str]:
    """The ring as it was when the file had this time and inode: a rotation changes both."""
    return key_ring_keys()
