"""Marks of the tests of evaluators and statistics."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_data: reads published data that are not part of the product")
