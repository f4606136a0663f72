"""An application runs a prompt: the web server asks, a worker answers, the answer waits for no thread."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from apps.core.models import Project
from apps.core.roles import Role
from apps.feedback.thumbs.tokens import feedback_token_read, subject_of
from apps.prompts.label_services import label_set
from apps.traces.models import Span
from apps.workbench.calls.sweeping import calls_sweep
from apps.workbench.models import Call
from llmops_web.stack.waiting import wait_until
from tests.factories.core import make_api_key
from tests.factories.prompts import SYSTEM, make_prompt, make_version
from tests.integration.test_workbench_calls_live import database_connections
from tests.live_stack import LiveStack
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.workbench_steps import make_endpoint, open_page

pytestmark = pytest.mark.slow
PARAMETERS = {"model": "loop/loop-small"}
LONG = " ".join(f"word{n}" for n in range(600))
SLOWLY = Behaviour(chunk_delay_s=0.05)


class Application:
    """Holds a key, asks for completions, and reads what comes."""

    def __init__(self, project: Project, stack: LiveStack, loopback: LoopbackProvider) -> None:
        self.project, self.stack, self.loopback = project, stack, loopback
        make_endpoint(project, loopback)
        self.prompt = make_prompt(project, "Answer")
        self.first = make_version(self.prompt, "Say {{ word }}", parameters=PARAMETERS)
        make_version(self.prompt, "Shout {{ word }}", parameters=PARAMETERS)
        _, self.key = make_api_key(project, Role.EDITOR)

    def ask(
        self, *, port: int = 0, headers: dict[str, str] | None = None, **body: Any
    ) -> http.client.HTTPResponse:
        self.connection = http.client.HTTPConnection("127.0.0.1", port or self.stack.port, timeout=30)
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        path = f"/api/v1/prompts/{self.prompt.slug}/complete/"
        self.connection.request("POST", path, json.dumps({"inputs": {"word": "hi"}} | body), sent)
        return self.connection.getresponse()

    def told(self, status: int = 200, **asked: Any) -> dict[str, Any]:
        response = self.ask(**asked)
        told: dict[str, Any] = json.loads(response.read())
        assert response.status == status, told
        return told


def events(response: http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    assert response.getheader("Content-Type") == "text/event-stream"
    name = ""
    while line := response.readline():
        if line.startswith(b"event: "):
            name = line[7:].strip().decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


@pytest.fixture
def application(project: Project, live_stack: LiveStack, loopback_provider: LoopbackProvider) -> Application:
    return Application(project, live_stack, loopback_provider)


def test_an_application_is_answered_with_text_span_and_token(application: Application) -> None:
    told = application.told(user="u-17", session="s-3", parameters={"temperature": 0.5})
    assert (told["text"], told["prompt_version"], told["model"]) == ("Shout hi", 2, "loop/loop-small")
    assert told["usage"]["input_tokens"] == told["usage"]["output_tokens"] == 2
    span = Span.objects.select_related("trace").get(pk=told["span_id"])
    assert (span.trace.source, span.trace.user, span.trace.session) == ("application", "u-17", "s-3")
    assert (span.inputs, span.parameters["temperature"]) == ({"word": "hi"}, 0.5)
    token = feedback_token_read(told["feedback_token"])
    assert (token.span_id, token.subject) == (span.pk, subject_of(project_id=span.project_id, user="u-17"))
    label_set(prompt=application.prompt, by=SYSTEM, name="production", version=application.first)
    asked = {"keys": ["thumb"], "hours": 1}
    labelled = application.told(feedback=asked)
    assert (labelled["text"], labelled["prompt_version"]) == ("Say hi", 1)
    assert feedback_token_read(labelled["feedback_token"]).keys == ("thumb",)
    assert application.told(version=2)["text"] == "Shout hi"
    history = [{"role": "user", "content": "Before"}, {"role": "assistant", "content": "Yes"}]
    application.told(history=history)
    sent = application.loopback.calls[-1].body["messages"]
    assert [message["content"] for message in sent] == ["Before", "Yes", "Say hi"]
    page = open_page(application.project)
    seen = page.client.get(f"/p/{application.project.slug}/prompts/{application.prompt.slug}/history/")
    assert b"No calls yet" in seen.content


def test_pieces_come_as_they_are_made_and_the_end_says_everything(application: Application) -> None:
    application.loopback.behaviour = Behaviour(chunk_delay_s=0.01)
    response = application.ask(inputs={"word": "a b c d e f g"}, headers={"Accept": "text/event-stream"})
    told = list(events(response))
    assert len([name for name, _ in told if name == "text"]) > 2
    assert "".join(each["text"] for name, each in told if name == "text") == "Shout a b c d e f g"
    name, end = told[-1]
    assert (name, end["text"], bool(end["feedback_token"])) == ("done", "Shout a b c d e f g", True)
    assert UUID(end["span_id"]) == Call.objects.get().span_id
    application.loopback.behaviour = Behaviour(mode="429")
    [(name, problem)] = events(application.ask(stream=True))
    assert (name, problem["status"], problem["error_kind"]) == ("error", 502, "rate_limited")


def test_what_cannot_be_run_or_is_not_answered_is_told_as_a_problem(application: Application) -> None:
    assert application.told(404, label="nowhere")["code"] == "prompt_version_not_found"
    assert "values.word" in application.told(422, inputs={})["errors"]
    assert "history" in application.told(400, history=[{"role": "bird"}])["errors"]
    assert application.told(400, inputs={}, stream=True, user="a\x00b")["errors"]
    assert not Call.objects.exists()
    application.loopback.behaviour = Behaviour(mode="500")
    problem = application.told(502)
    assert (problem["error_kind"], bool(problem["detail"])) == ("overloaded", True)
    assert UUID(problem["call_id"]) == Call.objects.get().pk
    application.loopback.behaviour = SLOWLY
    late = application.told(504, inputs={"word": LONG}, timeout=1)
    wait_until(lambda: _status(late["call_id"]) == "cancelled", seconds=5, what="The call that took too long")


def test_who_leaves_stops_the_call_unless_it_is_kept(application: Application) -> None:
    application.loopback.behaviour = SLOWLY
    response = application.ask(inputs={"word": LONG}, stream=True)
    next(events(response))
    response.close()
    application.connection.close()
    wait_until(
        lambda: Call.objects.filter(status="cancelled").count() == 1, seconds=5, what="The left stream"
    )
    with pytest.raises(TimeoutError):
        _impatient(application, inputs={"word": LONG})
    wait_until(lambda: Call.objects.filter(status="cancelled").count() == 2, seconds=5, what="The left call")
    application.loopback.behaviour = Behaviour(latency_s=1.5)
    again = {"Idempotency-Key": "order-66"}
    with pytest.raises(TimeoutError):
        _impatient(application, headers=again)
    told = application.told(headers=again)
    assert (told["text"], Call.objects.count()) == ("Shout hi", 3)
    assert application.told(409, headers=again, inputs={"word": "other"})["code"] == "conflict"


def test_a_second_web_process_and_a_lost_worker(application: Application) -> None:
    stack = application.stack
    first = stack.port
    stack.processes["first"] = stack.processes.pop("web")
    stack.start_web()
    again = {"Idempotency-Key": "one"}
    here, there = (application.told(port=port, headers=again) for port in (first, stack.port))
    assert here["id"] == there["id"]
    application.loopback.behaviour = SLOWLY
    stream = events(application.ask(inputs={"word": LONG}, stream=True))
    next(stream)
    stack.kill("interactive")
    Call.objects.filter(status="running").update(lease_until=timezone.now())
    calls_sweep()
    *_, (name, problem) = stream
    assert (name, problem["error_kind"]) == ("error", "worker_lost")
    assert problem["text"]


def test_many_wait_at_once_and_hold_no_database_connection(application: Application) -> None:
    all_have_begun = threading.Event()
    application.loopback.behaviour = Behaviour(held_until=all_have_begun)
    with ThreadPoolExecutor(40) as waiting:
        asked = [waiting.submit(_answer_to, application, f"number {n}", n % 2 == 0) for n in range(40)]
        wait_until(lambda: application.loopback.at_once == 40, seconds=20, what="Forty calls")
        assert database_connections("llmops-web") < 15
        all_have_begun.set()
        assert [each.result(20) for each in asked] == [f"Shout number {n}" for n in range(40)]
    assert Call.objects.filter(status="completed").count() == 40


def _answer_to(application: Application, word: str, streamed: bool) -> str:
    response = copy(application).ask(inputs={"word": word}, stream=streamed)
    if streamed:
        *_, (_, end) = events(response)
        return str(end["text"])
    return str(json.loads(response.read())["text"])


def _impatient(application: Application, **asked: Any) -> None:
    """Ask, and hang up after a second."""
    connect = http.client.HTTPConnection

    class Hasty(connect):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "timeout": 1})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http.client, "HTTPConnection", Hasty)
        try:
            application.ask(**asked)
        finally:
            application.connection.close()


def _status(call_id: str) -> str:
    return str(Call.objects.get(pk=call_id).status)
