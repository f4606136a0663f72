"""Hundreds of requests of programs at once are all answered, and leave the database to others."""

from __future__ import annotations

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apps.core.models import Project
from apps.core.roles import Role
from apps.traces.models import Span
from tests.factories.core import make_api_key
from tests.integration.test_workbench_calls_live import database_connections
from tests.live_stack import LiveStack

pytestmark = pytest.mark.slow
AT_ONCE = 200


def test_two_hundred_requests_at_once_share_a_few_connections(
    project: Project, live_stack: LiveStack
) -> None:
    _, key = make_api_key(project, Role.EDITOR)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    begin = threading.Barrier(AT_ONCE + 1)

    def ask(number: int) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", live_stack.port, timeout=60)
        begin.wait(30)
        if number % 2:
            connection.request("GET", "/api/v1/spans/", headers=headers)
        else:
            body = {"spans": [{"id": f"s-{number}", "output": "Soon."}]}
            connection.request("POST", "/api/v1/spans/", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    most = 0
    with ThreadPoolExecutor(AT_ONCE) as waiting:
        asked = [waiting.submit(ask, number) for number in range(AT_ONCE)]
        begin.wait(30)
        while not all(each.done() for each in asked):
            most = max(most, database_connections("llmops-web"))
        answers = [each.result() for each in asked]
    assert {status for status, _ in answers} == {200}
    assert Span.objects.count() == AT_ONCE // 2
    assert most < 60, most
