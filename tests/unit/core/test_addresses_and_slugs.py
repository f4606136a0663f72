"""Client addresses, and slugs."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from apps.core.addresses import client_address
from apps.core.models import Project
from apps.core.slugs import SLUG_RE, unique_slug


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "198.51.100.1", "127.0.0.1"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "made-up, 198.51.100.1", "198.51.100.1"),
        (2, "203.0.113.9, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (2, "198.51.100.1", "127.0.0.1"),
        (1, "not an address", "127.0.0.1"),
        (1, "", "127.0.0.1"),
        (1, "2001:DB8::1", "2001:db8::1"),
    ],
)
def test_only_our_proxies_are_believed(settings: Any, proxies: int, forwarded: str, address: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded} if forwarded else {})
    assert client_address(request) == address


def test_a_unix_socket_has_no_address(settings: Any) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="")
    assert client_address(request) == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Spelling & Grammar", "spelling-grammar"),
        ("Ünïcode", "unicode"),
        ("日本", "untitled"),
        ("__x__", "x"),
    ],
)
def test_a_slug_is_made_from_the_name(name: str, slug: str) -> None:
    assert unique_slug(Project.objects.all(), name) == slug


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["x", "x" * 500, "a-" * 100, "日本", "9", "- -"])
def test_slugs_are_valid_and_never_alike(name: str) -> None:
    slugs = set()
    for _ in range(12):
        slug = unique_slug(Project.objects.all(), name)
        Project.objects.create(name=name[:120], slug=slug)
        slugs.add(slug)
        assert SLUG_RE.match(slug), slug
    assert len(slugs) == 12
