"""What every test may count on; the servers come from tests/stack_fixtures.py."""

from __future__ import annotations

import gc

import pytest

pytest_plugins = [
    "tests.migrated_database",
    "tests.emptied_database",
    "tests.factories.core",
    "tests.loopback_provider",
    "tests.loopback_fine_tuning",
    "tests.loopback_webhook",
    "tests.loopback_s3",
    "tests.planned_jobs",
    "tests.supervised_jobs",
]


def pytest_collection_finish() -> None:
    """What was imported and collected stays: looking through it again and again finds no garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: object) -> None:
    """Hashing a password is slow on purpose; tests that make many people need not wait for it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _plain_static_files(settings: object) -> None:
    """Pages render without a collected manifest; `collectstatic` has a test of its own. Files are looked for
    when they are asked for: each test client would list all of them."""
    settings.WHITENOISE_AUTOREFRESH = True  # type: ignore[attr-defined]
    settings.STORAGES = {  # type: ignore[attr-defined]
        **settings.STORAGES,  # type: ignore[attr-defined]
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
