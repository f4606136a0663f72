"""The guard at the moment of connecting: rebinding names, redirects, what the environment would add."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from apps.core import guarded_transport
from apps.providers.protocol import ErrorKind
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.unit.providers.conftest import chat, complete, connection_to, failure


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Every name resolves to these addresses, as a hostile name server might answer."""
    family = {True: socket.AF_INET6, False: socket.AF_INET}

    async def getaddrinfo(self: Any, host: str, port: int, **_: Any) -> list[Any]:
        return [(family[":" in a], socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254", "fd00:ec2::254"]
)
def test_a_name_that_resolves_to_a_metadata_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    _resolve_to(monkeypatch, address)
    error = failure(connection_to("http://harmless.example/v1"))
    assert error.kind is ErrorKind.BAD_REQUEST
    assert "link-local or cloud metadata" in error.message


def test_one_bad_address_among_good_ones_is_enough(
    monkeypatch: pytest.MonkeyPatch, loopback_provider: LoopbackProvider
) -> None:
    _resolve_to(monkeypatch, "127.0.0.1", "169.254.169.254")
    error = failure(connection_to(f"http://harmless.example:{loopback_provider.port}/v1"))
    assert error.kind is ErrorKind.BAD_REQUEST
    assert loopback_provider.calls == []


def test_the_connection_goes_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch, loopback_provider: LoopbackProvider
) -> None:
    _resolve_to(monkeypatch, "127.0.0.1")
    response = complete(connection_to(f"http://harmless.example:{loopback_provider.port}/v1"), chat("hi"))
    assert response.text == "hi"
    assert loopback_provider.calls[0].headers["host"] == f"harmless.example:{loopback_provider.port}"


def test_a_dead_address_falls_back_to_the_next(
    monkeypatch: pytest.MonkeyPatch, loopback_provider: LoopbackProvider
) -> None:
    _resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    connection = connection_to(f"http://harmless.example:{loopback_provider.port}/v1")
    assert complete(connection, chat("hi")).text == "hi"


def test_redirects_are_not_followed(loopback_provider: LoopbackProvider) -> None:
    loopback_provider.behaviour = Behaviour(
        mode="redirect", location=f"{loopback_provider.base_url}/elsewhere"
    )
    error = failure(connection_to(loopback_provider.base_url))
    assert "redirects (307)" in error.message
    assert len(loopback_provider.calls) == 1


def test_nothing_from_the_environment_reaches_a_provider(
    monkeypatch: pytest.MonkeyPatch, loopback_provider: LoopbackProvider
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-environment")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://169.254.169.254/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    loopback_provider.api_key = ""
    complete(connection_to(loopback_provider.base_url, api_key=""), chat("hi"))
    headers = loopback_provider.calls[0].headers
    assert "authorization" not in headers
    assert "environment" not in str(headers)


def test_an_endless_answer_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, loopback_provider: LoopbackProvider
) -> None:
    monkeypatch.setattr(guarded_transport, "MAX_RESPONSE_BYTES", 100)
    error = failure(connection_to(loopback_provider.base_url), chat("word " * 100))
    assert error.kind is ErrorKind.BAD_RESPONSE
    assert "too large" in error.message
