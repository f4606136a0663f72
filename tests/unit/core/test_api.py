"""REST's plumbing, tried on a small view of its own: keys, roles, problem details, idempotency."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient

from apps.core.api import (
    KeysetPagination,
    ProjectAPIView,
    ProjectViewSet,
    SafeCharField,
    SafeJSONField,
    idempotent,
)
from apps.core.api_keys import api_key_create, api_key_revoke
from apps.core.errors import Conflict
from apps.core.models import ApiKey, IdempotencyRecord, Project
from apps.core.roles import Role
from tests.factories.core import SYSTEM, make_api_key, make_project

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class ThingSerializer(serializers.Serializer[Any]):
    name = SafeCharField(max_length=120)
    extra = SafeJSONField(required=False)
    parts = serializers.ListField(child=serializers.IntegerField(), required=False)


class Things(ProjectAPIView):
    """Makes API keys, as an example of something that is created."""

    roles = {"GET": Role.VIEWER, "POST": Role.EDITOR}

    def get(self, request: Request) -> Response:
        if "missing" in request.query_params:
            raise Http404
        return Response({"project": self.project.slug, "by": self.actor.label, "address": self.actor.address})

    @idempotent
    def post(self, request: Request) -> Response:
        thing = ThingSerializer(data=request.data)
        thing.is_valid(raise_exception=True)
        name = thing.validated_data["name"]
        if name == "taken":
            raise Conflict("The name is taken.", fields={"name": ["Taken."]}, holder="somebody")
        row, _ = api_key_create(project=self.project, by=self.actor, name=name, role=Role.VIEWER)
        return Response({"id": str(row.pk), "made": row.created_at}, status=status.HTTP_201_CREATED)


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    class Meta:
        model = ApiKey
        fields = ("id", "name")


class Keys(ProjectViewSet):
    roles = {"GET": Role.VIEWER}
    serializer_class = KeySerializer
    pagination_class = KeysetPagination

    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(ApiKey.objects.filter(project=self.project))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a defect")


urlpatterns = [
    path("api/v1/things/", Things.as_view()),
    path("api/v1/keys/", Keys.as_view({"get": "list"})),
    path("api/v1/broken/", broken),
    path("", include("apps.core.urls")),
]
handler404 = "apps.core.failures.not_found"
handler500 = "apps.core.failures.server_error"
THINGS = "/api/v1/things/"
Clients = Callable[[Role], APIClient]


def problem_of(answer: Any, expected_status: int) -> dict[str, Any]:
    """The answer's problem details, checked for what every one of them has."""
    assert answer.status_code == expected_status
    assert answer["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert body["status"] == expected_status
    return body


def test_a_key_acts_in_its_project_under_its_name(api_client: Clients, project: Project) -> None:
    body = api_client(Role.VIEWER).get(THINGS).json()
    assert body == {"project": project.slug, "by": "a script", "address": "127.0.0.1"}


def test_the_last_use_of_a_key_is_noted_once_a_minute(project: Project) -> None:
    row, key = make_api_key(project, Role.VIEWER)
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {key}")
    client.get(THINGS)
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    client.get(THINGS)
    row.refresh_from_db()
    assert row.last_used_at == first


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer a b",
        b"Bearer llmops_unknown",
        b"Basic abc",
        b"Bearer \xff\xfe\x80",
        b"\xff",
        b"Bearer " + b"x" * 100_000,
        "Bearer ключ".encode(),
    ],
)
def test_a_header_that_is_no_key_is_answered_401(project: Project, header: bytes) -> None:
    answer = APIClient().get(THINGS, HTTP_AUTHORIZATION=header.decode("latin-1"))
    problem_of(answer, 401)
    assert answer["WWW-Authenticate"] == "Bearer"


def test_expired_and_revoked_keys_do_not_work(project: Project) -> None:
    expired, expired_key = make_api_key(project, Role.ADMIN)
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    revoked, revoked_key = make_api_key(project, Role.ADMIN)
    api_key_revoke(project=project, by=SYSTEM, key=revoked)
    for key in (expired_key, revoked_key):
        body = problem_of(APIClient().get(THINGS, HTTP_AUTHORIZATION=f"Bearer {key}"), 401)
        assert "expired or was revoked" in body["detail"]


def test_a_key_is_kept_as_a_hash_only(project: Project) -> None:
    row, key = make_api_key(project, Role.VIEWER)
    assert key not in str(ApiKey.objects.filter(pk=row.pk).values().get())
    assert len(row.prefix) == 12


def test_a_signed_in_browser_is_not_let_into_rest(superuser_client: Client) -> None:
    problem_of(superuser_client.get(THINGS), 401)


def test_a_role_too_low_is_answered_403_and_says_which_is_needed(api_client: Clients) -> None:
    body = problem_of(api_client(Role.ANNOTATOR).post(THINGS, {"name": "x"}, format="json"), 403)
    assert "editor" in body["detail"]
    assert "annotator" in body["detail"]


def test_a_method_without_a_role_is_answered_405(api_client: Clients) -> None:
    problem_of(api_client(Role.ADMIN).delete(THINGS), 405)


def test_an_archived_project_takes_no_writes_over_rest(api_client: Clients, project: Project) -> None:
    client = api_client(Role.ADMIN)
    Project.objects.filter(pk=project.pk).update(archived_at=timezone.now())
    assert client.get(THINGS).status_code == 200
    assert "archived" in problem_of(client.post(THINGS, {"name": "x"}, format="json"), 403)["detail"]


def test_a_field_s_error_is_named_by_its_path(api_client: Clients) -> None:
    body = problem_of(api_client(Role.EDITOR).post(THINGS, {"parts": [1, "x"]}, format="json"), 400)
    assert body["code"] == "invalid_input"
    assert set(body["errors"]) == {"name", "parts[1]"} or set(body["errors"]) == {"name", "parts.1"}


def test_what_a_service_refuses_keeps_its_code_fields_and_extras(api_client: Clients) -> None:
    body = problem_of(api_client(Role.EDITOR).post(THINGS, {"name": "taken"}, format="json"), 409)
    assert (body["code"], body["errors"], body["holder"]) == ("conflict", {"name": ["Taken."]}, "somebody")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"1",
        b'{"name": null}',
        b'{"name": ["x"]}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\ud800"}',
        b'{"name": "x", "extra": {"a\\u0000": 1}}',
        b'{"name": "x", "extra": NaN}',
        b'{"name": "x", "extra": "\\udfff"}',
        b'{"name": "x", "extra": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"name": "\xff"}',
        b'{"name": "' + b"x" * 121 + b'"}',
    ],
)
def test_a_body_that_cannot_be_taken_is_answered_400(api_client: Clients, body: bytes) -> None:
    answer = api_client(Role.EDITOR).post(THINGS, body, content_type="application/json")
    problem_of(answer, 400)


def test_another_media_type_is_answered_415(api_client: Clients) -> None:
    problem_of(api_client(Role.EDITOR).post(THINGS, b"x", content_type="text/plain"), 415)


def test_nothing_there_is_answered_404(api_client: Clients) -> None:
    problem_of(api_client(Role.VIEWER).get(THINGS + "?missing"), 404)


def test_an_address_that_no_view_has_is_answered_404_in_json(project: Project) -> None:
    problem_of(APIClient().get("/api/v1/nothing/at/all/"), 404)


def test_a_defect_is_answered_500_in_json_and_tells_nothing(project: Project) -> None:
    body = problem_of(APIClient(raise_request_exception=False).get("/api/v1/broken/"), 500)
    assert "a defect" not in str(body)


def test_nul_in_a_query_is_answered_400(api_client: Clients) -> None:
    problem_of(api_client(Role.VIEWER).get(THINGS + "?q=%00"), 400)


def test_a_list_is_walked_by_cursor(api_client: Clients, project: Project) -> None:
    client = api_client(Role.VIEWER)
    for number in range(6):
        make_api_key(project, Role.VIEWER, name=f"key {number}")
    make_api_key(make_project(), Role.VIEWER, name="elsewhere")
    url, names = "/api/v1/keys/?limit=3", []
    while url:
        page = client.get(url).json()
        names += [row["name"] for row in page["results"]]
        url = page["next"]
    assert names == ["key 5", "key 4", "key 3", "key 2", "key 1", "key 0", "a script"]


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=%FF", "cursor=cD14", "cursor=bz0tMQ==", "limit=0", "limit=x"]
)
def test_a_forged_cursor_is_no_crash(api_client: Clients, query: str) -> None:
    assert api_client(Role.VIEWER).get(f"/api/v1/keys/?{query}").status_code in (200, 400, 404)


def create(client: APIClient, key: str, name: str = "thing") -> Any:
    return client.post(THINGS, {"name": name}, format="json", headers={"Idempotency-Key": key})


def test_a_repeat_answers_the_same_and_creates_nothing(api_client: Clients) -> None:
    client = api_client(Role.EDITOR)
    first, second = create(client, "k1"), create(client, "k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert ApiKey.objects.filter(name="thing").count() == 1
    assert create(client, "k2").json() != first.json()


def test_a_key_used_with_another_body_is_a_conflict(api_client: Clients) -> None:
    client = api_client(Role.EDITOR)
    create(client, "k1")
    assert "another body" in problem_of(create(client, "k1", "other"), 409)["detail"]


def test_a_failed_creation_is_not_remembered(api_client: Clients) -> None:
    client = api_client(Role.EDITOR)
    problem_of(create(client, "k1", "taken"), 409)
    assert not IdempotencyRecord.objects.exists()
    assert create(client, "k1").status_code == 201


def test_two_projects_may_use_the_same_key(api_client: Clients) -> None:
    other = make_api_key(make_project(), Role.EDITOR)[1]
    first = create(api_client(Role.EDITOR), "k1")
    second = create(APIClient(HTTP_AUTHORIZATION=f"Bearer {other}"), "k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() != second.json()


@pytest.mark.parametrize("key", ["x" * 201, "a\tb", "\x7f"])
def test_an_idempotency_key_that_cannot_be_one_is_refused(api_client: Clients, key: str) -> None:
    problem_of(create(api_client(Role.EDITOR), key), 400)


@pytest.mark.django_db(transaction=True)
def test_two_creations_with_one_key_at_once_create_once() -> None:
    _, key = make_api_key(make_project(), Role.EDITOR)
    barrier = Barrier(4)

    def attempt(_: int) -> tuple[int, Any]:
        client = APIClient(HTTP_AUTHORIZATION=f"Bearer {key}")
        barrier.wait(timeout=10)
        try:
            answer = create(client, "k1")
            return answer.status_code, answer.json()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(attempt, range(4)))
    assert [code for code, _ in answers] == [201] * 4
    assert len({str(body) for _, body in answers}) == 1
    assert ApiKey.objects.filter(name="thing").count() == 1
