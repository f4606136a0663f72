"""Logs hold no one-time link."""

from __future__ import annotations

import logging

import pytest

from apps.core.log_filters import HideOneTimeLinks

TOKEN = "nJCPYzKO1M3KVWCiekmqePPbff-UgbFJI8cU4eF0bEs"


@pytest.mark.parametrize(
    ("message", "arguments", "logged"),
    [
        ("Forbidden: %s", (f"/invitation/{TOKEN}/",), "Forbidden: /invitation/…/"),
        (f"Bad Request: /setup/{TOKEN}/?x=1", None, "Bad Request: /setup/…/?x=1"),
        ('%s - "GET %s"', ("127.0.0.1", f"/reset/{TOKEN}/"), '127.0.0.1 - "GET /reset/…/"'),
        ("Not Found: %s", ("/p/spelling/invitation/x/",), "Not Found: /p/spelling/invitation/x/"),
    ],
)
def test_the_token_of_a_one_time_link_is_not_logged(
    message: str, arguments: tuple[str, ...] | None, logged: str
) -> None:
    record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, message, arguments, None)
    assert HideOneTimeLinks().filter(record)
    assert record.getMessage() == logged
