"""Secrets at rest, and the rotation of their keys."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from apps.core import crypto
from apps.core.crypto import (
    UndecipherableSecret,
    decrypt,
    encrypt,
    key_ring_keys,
    re_encrypt_all,
    register_encrypted,
    rotate_key_ring,
)
from apps.core.errors import ProductError
from apps.core.models import ApiKey, Project
from apps.core.secret_files import read_or_create_secret
from tests.factories.core import make_user


@pytest.fixture(autouse=True)
def ring_file(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    settings.KEY_RING, settings.KEY_RING_FILE = "", tmp_path / "private" / "key_ring.json"
    monkeypatch.setattr(crypto, "_encrypted_columns", [])
    crypto._keys_of_file.cache_clear()
    yield settings.KEY_RING_FILE
    crypto._keys_of_file.cache_clear()


@pytest.fixture
def stored_secret(project: Project) -> ApiKey:
    """A row with an encrypted column; `made_by` stands in for one."""
    register_encrypted(ApiKey, "made_by")
    return ApiKey.objects.create(
        project=project, name="x", role=1, prefix="x", key_hash="x", made_by=encrypt("hunter2")
    )


@pytest.mark.parametrize("text", ["", "sk-1", "ключ 🔑", "x" * 10_000])
def test_what_is_encrypted_comes_back_and_is_not_to_be_seen(text: str) -> None:
    token = encrypt(text)
    assert decrypt(token) == text
    assert not text or text not in token
    assert encrypt(text) != token


def test_the_ring_is_made_once_and_for_its_owner_only(ring_file: Path) -> None:
    encrypt("x")
    assert stat.S_IMODE(ring_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ring_file.parent.stat().st_mode) == 0o700
    assert key_ring_keys() == key_ring_keys()


def test_a_secret_of_another_ring_says_what_to_do(ring_file: Path) -> None:
    token = encrypt("x")
    ring_file.unlink()
    with pytest.raises(UndecipherableSecret, match="Restore the key ring"):
        decrypt(token)


@pytest.mark.django_db
def test_a_rotation_encrypts_every_secret_under_a_new_key(stored_secret: ApiKey) -> None:
    before, (old_key,) = stored_secret.made_by, key_ring_keys()
    assert rotate_key_ring() == 1
    stored_secret.refresh_from_db()
    new_key, kept = key_ring_keys()
    assert (kept, new_key != old_key) == (old_key, True)
    assert stored_secret.made_by != before
    assert Fernet(new_key).decrypt(stored_secret.made_by.encode()) == b"hunter2"


@pytest.mark.django_db
def test_a_key_leaves_the_ring_with_the_second_rotation(stored_secret: ApiKey) -> None:
    saved_meanwhile, (first,) = encrypt("late"), key_ring_keys()
    rotate_key_ring()
    assert decrypt(saved_meanwhile) == "late"
    rotate_key_ring()
    assert first not in key_ring_keys()
    stored_secret.refresh_from_db()
    assert decrypt(stored_secret.made_by) == "hunter2"


@pytest.mark.django_db
def test_second_factors_are_rotated_too() -> None:
    factor = Authenticator.objects.create(user=make_user(), type="totp", data={"secret": encrypt("ABC")})
    codes = Authenticator.objects.create(
        user=factor.user, type="recovery_codes", data={"seed": encrypt("DEF"), "used_mask": 3}
    )
    assert rotate_key_ring() == 2
    newest = Fernet(key_ring_keys()[0])
    factor.refresh_from_db()
    codes.refresh_from_db()
    assert newest.decrypt(factor.data["secret"].encode()) == b"ABC"
    assert (newest.decrypt(codes.data["seed"].encode()), codes.data["used_mask"]) == (b"DEF", 3)


@pytest.mark.django_db
def test_a_rotation_that_meets_a_secret_it_cannot_open_drops_no_key(
    stored_secret: ApiKey, project: Project
) -> None:
    alien = Fernet(Fernet.generate_key()).encrypt(b"x").decode()
    ApiKey.objects.create(project=project, name="y", role=1, prefix="y", key_hash="y", made_by=alien)
    (old_key,) = key_ring_keys()
    with pytest.raises(UndecipherableSecret, match="No key has been dropped"):
        rotate_key_ring()
    assert old_key in key_ring_keys()
    stored_secret.refresh_from_db()
    assert decrypt(stored_secret.made_by) == "hunter2"


@pytest.mark.django_db
def test_a_ring_set_by_variable_is_rotated_by_its_owner(settings: Any, stored_secret: ApiKey) -> None:
    old_keys, new_key = key_ring_keys(), Fernet.generate_key().decode()
    settings.KEY_RING = json.dumps([new_key, *old_keys])
    with pytest.raises(ProductError, match="LLMOPS_KEY_RING"):
        rotate_key_ring()
    assert re_encrypt_all() == 1
    settings.KEY_RING = json.dumps([new_key])
    stored_secret.refresh_from_db()
    assert decrypt(stored_secret.made_by) == "hunter2"


@pytest.mark.django_db
def test_the_command_rotates_and_says_how_many(settings: Any, stored_secret: ApiKey) -> None:
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    assert out.getvalue() == "1 stored secret encrypted under the newest key.\n"
    settings.KEY_RING = json.dumps(key_ring_keys())
    with pytest.raises(CommandError, match="--re-encrypt-only"):
        call_command("rotate_keys")


def test_a_secret_file_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "secret"
    assert read_or_create_secret(path) == read_or_create_secret(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]
