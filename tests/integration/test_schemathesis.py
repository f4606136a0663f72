"""The OpenAPI document holds: whatever a key sends, allowed by it or not, the answer is one that the document
describes, and never a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.core.roles import Role
from llmops_web.wsgi import application
from tests.factories.core import make_api_key
from tests.world import World, make_world

pytestmark = pytest.mark.slow

SCHEMA = "/api/v1/schema/"
EXAMPLES = 10
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
METHODS = ("get", "post", "put", "patch", "delete")


def test_every_operation_names_the_problems_it_can_answer() -> None:
    document = json.loads(Client().get(SCHEMA, {"format": "json"}).content)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            failures = {status: said for status, said in operation["responses"].items() if status >= "400"}
            assert {"400", "401", "403"} <= failures.keys(), (method, path)
            assert method == "get" or "409" in failures, (method, path)
            assert "{" not in path or "404" in failures, (method, path)
            for said in failures.values():
                assert list(said["content"]) == ["application/problem+json"], (method, path)
    assert document["components"]["schemas"]["Problem"]["required"]


def test_the_document_has_no_warnings(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """A request in this process must not close the connection that holds the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield make_world()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("method", METHODS)
def test_every_answer_is_as_the_document_says(method: str, world: World) -> None:
    schema = schemathesis.openapi.from_wsgi(SCHEMA, application)
    schema.config.generation.with_security_parameters = False  # every call has the key
    key = make_api_key(world.project, Role.ADMIN)[1]
    wrong: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.method.lower() == method:
            wrong += problems(operation, world, {"Authorization": f"Bearer {key}"})
    assert not wrong, "\n\n".join(wrong)


def problems(operation: Any, world: World, headers: dict[str, str]) -> list[str]:
    """What is wrong with the answers to generated calls of one operation; each call is undone."""
    both = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

    @seed(20260101)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=st.one_of(both), real=st.sampled_from([True, True, False]))
    def called(case: Case, real: bool) -> None:
        # /prompts/-/export/ is an operation of its own: no slug begins with "-".
        assume(not str(case.path_parameters.get("slug", "")).startswith("-"))
        if real:
            name_real_things(case, world)
        with transaction.atomic():
            answer = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(answer, checks=CHECKS)

    try:
        called()
    except (FailureGroup, Exception) as error:
        return [f"{operation.label}: {error}"]
    return []


def name_real_things(case: Case, world: World) -> None:
    """Put the world's own slugs, numbers and ids into the path, so that the call reaches its service."""
    if case.path_parameters:
        path = case.operation.path
        thing = path.split("/")[3].removesuffix("s")  # /api/v1/prompts/… is about a prompt
        known = world.kwargs(
            f"api:{thing}-{'test' if 'test' in path else 'detail'}", set(case.path_parameters)
        )
        case.path_parameters.update({part: str(value) for part, value in known.items()})
