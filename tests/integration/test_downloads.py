"""Downloads are sent while they are made: under ASGI each is an asynchronous stream, gathered nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.urls import reverse

from apps.core.roles import Role
from tests.factories.core import make_api_key, make_user
from tests.world import World, make_world

pytestmark = pytest.mark.django_db

PAGES = (
    "core:audit-export",
    "core:accounts-audit-export",
    "datasets:export",
    "datasets:import-rejections-file",
    "evaluations:run-export-csv",
    "evaluations:run-export-jsonl",
)
PARAMETERS = {
    "core:audit-export": {"project_slug"},
    "core:accounts-audit-export": set(),
    "datasets:export": {"project_slug", "slug"},
    "datasets:import-rejections-file": {"project_slug", "slug", "import_id"},
}


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_s_download_is_streamed(name: str, world: World) -> None:
    client = AsyncClient()
    client.force_login(
        make_user(superuser=True), backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    parameters = PARAMETERS.get(name, {"project_slug", "number"})
    assert read(client, reverse(name, kwargs=world.kwargs(name, parameters)))


def test_an_export_by_rest_is_streamed(world: World) -> None:
    key = make_api_key(world.project, Role.VIEWER)[1]
    path = reverse("api:dataset-export", args=[world.dataset.slug])
    assert b"What is" in read(AsyncClient(), path, Authorization=f"Bearer {key}")


def read(client: AsyncClient, path: str, **headers: str) -> bytes:
    async def asked() -> bytes:
        answer: Any = await client.get(path, headers=headers)
        assert answer.status_code == 200, path
        assert answer.streaming, path
        assert answer.is_async, path
        stream: AsyncIterator[bytes] = answer.streaming_content
        return b"".join([part async for part in stream])

    return async_to_sync(asked)()
