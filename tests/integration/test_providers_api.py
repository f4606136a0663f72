"""Providers over REST, as a key of a project sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core.actor import Actor
from apps.core.models import Project
from apps.core.roles import Role
from apps.providers.connection import OPENAI
from apps.providers.connection_tests import connection_test_run
from apps.providers.models import ConnectionTest, Provider
from apps.providers.services import ProviderSettings, provider_create
from tests.loopback_provider import API_KEY, LoopbackProvider

pytestmark = pytest.mark.django_db
ApiClient = Callable[[Role], APIClient]
URL = "/api/v1/providers/"
SECRET = "sk-very-secret-0123456789"


def _new(**fields: Any) -> dict[str, Any]:
    return {
        "name": "My vLLM",
        "kind": "openai",
        "base_url": "http://10.0.0.5:8000/v1",
        "api_key": SECRET,
        **fields,
    }


def test_a_provider_is_made_and_its_key_never_comes_back(api_client: ApiClient) -> None:
    client = api_client(Role.ADMIN)
    made = client.post(
        URL, _new(max_concurrency=4, requests_per_minute=60, tokens_per_minute=9000), format="json"
    )
    assert made.status_code == 201
    assert made.json()["tokens_per_minute"] == 9000
    assert made.json()["slug"] == "my-vllm"
    assert made.json()["has_api_key"] is True
    one, every = client.get(f"{URL}my-vllm/"), client.get(URL)
    assert [row["slug"] for row in every.json()["results"]] == ["my-vllm", "local"]
    assert SECRET not in made.content.decode() + one.content.decode() + every.content.decode()


def test_the_same_idempotency_key_makes_one_provider(api_client: ApiClient, project: Project) -> None:
    client = api_client(Role.ADMIN)
    answers = [client.post(URL, _new(), format="json", headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert Provider.objects.filter(project=project, kind=OPENAI).count() == 1


def test_a_taken_name_is_a_conflict(api_client: ApiClient) -> None:
    client = api_client(Role.ADMIN)
    client.post(URL, _new(), format="json")
    answer = client.post(URL, _new(), format="json")
    assert answer.status_code == 409
    assert answer.json()["code"] == "name_taken"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"base_url": "http://169.254.169.254/v1"}, "base_url"),
        ({"base_url": "ftp://host"}, "base_url"),
        ({"name": ""}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"kind": "soap"}, "kind"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"requests_per_minute": "many"}, "requests_per_minute"),
        ({"tokens_per_minute": 0}, "tokens_per_minute"),
        ({"timeout_s": 10**9}, "timeout_s"),
        ({"slug": "No Slug"}, "slug"),
        ({"api_key": "x" * 5000}, "api_key"),
    ],
)
def test_bad_input_names_its_field(api_client: ApiClient, fields: dict[str, Any], field: str) -> None:
    answer = api_client(Role.ADMIN).post(URL, _new(**fields), format="json")
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert field in answer.json()["errors"]


def test_viewers_read_and_only_admins_write(api_client: ApiClient) -> None:
    for role in (Role.VIEWER, Role.APPROVER):
        client = api_client(role)
        assert client.get(f"{URL}local/").status_code == 200
        assert client.get(f"{URL}local/models/").status_code == 200
        assert client.post(URL, _new(), format="json").status_code == 403
        assert client.patch(f"{URL}local/", {"name": "x"}, format="json").status_code == 403
        assert client.post(f"{URL}local/test/", {}, format="json").status_code == 403


def test_another_projects_provider_is_not_there(
    api_client: ApiClient, other_project: Project, actor: Actor
) -> None:
    settings = ProviderSettings(name="Theirs")
    provider_create(project=other_project, by=actor, kind=OPENAI, settings=settings)
    assert api_client(Role.ADMIN).get(f"{URL}theirs/").status_code == 404
    assert api_client(Role.ADMIN).patch(f"{URL}theirs/", {}, format="json").status_code == 404


def test_a_change_keeps_what_is_not_named(api_client: ApiClient) -> None:
    client = api_client(Role.ADMIN)
    client.post(URL, _new(max_concurrency=4), format="json")
    changed = client.patch(f"{URL}my-vllm/", {"timeout_s": 30}, format="json").json()
    assert (changed["timeout_s"], changed["max_concurrency"], changed["has_api_key"]) == (30, 4, True)
    cleared = client.patch(f"{URL}my-vllm/", {"api_key": ""}, format="json").json()
    assert cleared["has_api_key"] is False


def test_a_connection_test_is_started_and_polled(
    api_client: ApiClient, loopback_provider: LoopbackProvider
) -> None:
    client = api_client(Role.ADMIN)
    client.post(URL, _new(name="Loop", base_url=loopback_provider.base_url, api_key=API_KEY), format="json")
    started = client.post(f"{URL}loop/test/", {"model": "loop-small"}, format="json")
    assert started.status_code == 202
    assert started.json()["status"] == "pending"
    assert started["Location"] == started.json()["url"]
    connection_test_run(test_id=ConnectionTest.objects.get().pk)
    done = client.get(started.json()["url"]).json()
    assert done["status"] == "ok"
    assert done["models"] == ["loop-large", "loop-small"]
    listed = client.get(f"{URL}loop/models/").json()["results"]
    assert {model["full_name"] for model in listed} == {"loop/loop-small", "loop/loop-large"}
    assert listed[0]["price"] == {"input_price": None, "output_price": None, "source": "unknown"}


def test_a_model_is_added_and_priced(api_client: ApiClient) -> None:
    client = api_client(Role.ADMIN)
    client.post(URL, _new(), format="json")
    made = client.post(f"{URL}my-vllm/models/", {"name": "org/model", "context_window": 8192}, format="json")
    assert made.status_code == 201
    assert made.json()["full_name"] == "my-vllm/org/model"
    address = f"{URL}my-vllm/models/{made.json()['id']}/price/"
    priced = client.put(address, {"input_price": "1.50", "output_price": 6}, format="json")
    assert priced.json()["price"] == {"input_price": "1.5", "output_price": "6", "source": "override"}
    half = client.put(address, {"input_price": "1.50", "output_price": None}, format="json")
    assert half.status_code == 400
    back = client.put(address, {"input_price": None, "output_price": None}, format="json")
    assert back.json()["price"]["source"] == "unknown"


def test_an_archived_provider_leaves_the_list(api_client: ApiClient) -> None:
    client = api_client(Role.ADMIN)
    client.post(URL, _new(), format="json")
    assert client.delete(f"{URL}my-vllm/").status_code == 204
    assert [row["slug"] for row in client.get(URL).json()["results"]] == ["local"]
    assert [row["slug"] for row in client.get(f"{URL}?archived=true").json()["results"]] == ["my-vllm"]
    assert client.patch(f"{URL}my-vllm/", {"name": "x"}, format="json").status_code == 409
