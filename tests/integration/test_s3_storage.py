"""Models in a bucket: stored, fetched, checked and deleted, by the same code as in a folder."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import override_settings
from environs import Env

from apps.providers.local_model.weights import WeightsUnavailable, fetch
from apps.training.registry import keeping
from apps.training.registry.exporting import export_begin
from apps.training.registry.folders import look_into
from apps.training.registry.registering import NewVersion, version_add_stored
from apps.training.registry.storing import hash_to_keep, place_of
from llmops_web.file_store import file_store
from tests.factories.core import SYSTEM
from tests.loopback_s3 import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.unit.training.test_model_folders import whole

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket(s3, monkeypatch, settings, tmp_path):
    for name, value in (
        ("BUCKET", BUCKET),
        ("ENDPOINT", s3.url),
        ("PREFIX", "llmops"),
        ("ACCESS_KEY", ACCESS_KEY),
        ("SECRET_KEY", SECRET_KEY),
    ):
        monkeypatch.setenv(f"LLMOPS_S3_{name}", value)
    monkeypatch.setattr(type(settings.STACK), "model_cache", property(lambda _: tmp_path / "cache"))
    with override_settings(STORAGES={**settings.STORAGES, "default": file_store(Env())}):
        yield s3


def test_a_model_in_a_bucket(project, bucket, tmp_path, django_capture_on_commit_callbacks):
    folder = whole(tmp_path / "model")
    facts = look_into(folder)
    version = version_add_stored(
        project=project,
        by=SYSTEM,
        wanted=NewVersion(name="in-s3", kind="merged", source="import"),
        hashed=hash_to_keep(folder, facts, base="in-s3"),
    )
    stored = version.files.get(path="model.safetensors").stored_as
    assert bucket.objects[f"llmops/{stored}"] == (folder / "model.safetensors").read_bytes()

    fetched = fetch(place_of(version), version.fingerprint)
    assert (fetched / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert b"model.safetensors" in b"".join(export_begin(version=version, by=SYSTEM))

    other = version_add_stored(
        project=project,
        by=SYSTEM,
        wanted=NewVersion(name="tampered", kind="merged", source="import"),
        hashed=hash_to_keep(whole(tmp_path / "other", rope_theta=1.0), facts, base="tampered"),
    )
    path = other.files.get(path="config.json").stored_as
    bucket.objects[f"llmops/{path}"] = b'{"model_type": "evil"}'
    with pytest.raises(WeightsUnavailable, match="not the file that was registered"):
        fetch(place_of(other), other.fingerprint)

    with django_capture_on_commit_callbacks(execute=True):
        keeping.version_delete(version=version, by=SYSTEM)
    assert not [name for name in bucket.objects if "in-s3" in name]


def test_what_is_larger_than_a_part_comes_back_whole(bucket):
    content = bytes(range(256)) * 40_000  # ten megabytes: boto3 sends it in parts
    name = default_storage.save("uploads/large.zip", ContentFile(content))
    assert any(method == "POST" for method, _ in bucket.calls)
    with default_storage.open(name, "rb") as file:
        assert file.read() == content
    assert default_storage.size(name) == len(content)
    with pytest.raises(FileNotFoundError):
        default_storage.open("uploads/none.zip", "rb")


def test_without_a_bucket_files_are_in_the_folder(monkeypatch):
    monkeypatch.delenv("LLMOPS_S3_BUCKET", raising=False)
    assert file_store(Env()) == {"BACKEND": "django.core.files.storage.FileSystemStorage"}
