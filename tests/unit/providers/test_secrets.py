"""A credential is in no message, log line or repr."""

from __future__ import annotations

import logging

import pytest

from apps.providers.adapters.openai import OpenAIAdapter
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.unit.providers.conftest import chat, complete, connection_to, failure

SECRET = "sk-very-secret-0123456789"


def test_the_key_is_not_in_reprs(loopback_provider: LoopbackProvider) -> None:
    connection = connection_to(loopback_provider.base_url, api_key=SECRET)
    assert SECRET not in repr(connection)
    assert SECRET not in repr(OpenAIAdapter(connection))


@pytest.mark.parametrize("mode", ["ok", "401", "500", "reset", "garbage"])
def test_the_key_is_not_logged(
    loopback_provider: LoopbackProvider, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    loopback_provider.api_key = SECRET
    loopback_provider.behaviour = Behaviour(mode=mode)
    connection = connection_to(loopback_provider.base_url, api_key=SECRET)
    with caplog.at_level(logging.DEBUG):
        for name in ("openai", "httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        if mode == "ok":
            complete(connection, chat("hi"))
        else:
            failure(connection)
    assert loopback_provider.calls[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in caplog.text
    assert all(SECRET not in str(record.__dict__) for record in caplog.records)


def test_a_server_that_echoes_the_key_is_struck_out(loopback_provider: LoopbackProvider) -> None:
    loopback_provider.api_key = SECRET
    connection = connection_to(loopback_provider.base_url, api_key=SECRET)
    error = failure(connection, chat("hi", model=f"no-such-model-{SECRET}"))
    assert SECRET not in error.message + error.raw + repr(error) + str(error)
    assert "[key]" in error.message
