"""Calls over real processes: a page's request, a worker, the provider's stream, the page's stream."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from django.db import connection
from django.utils import timezone

from apps.core.models import Membership, Project
from apps.core.roles import Role
from apps.traces.models import Span
from apps.workbench.calls.sweeping import calls_sweep
from apps.workbench.models import Call
from llmops_web.stack.waiting import wait_until
from tests.factories.core import make_member
from tests.live_stack import LiveStack
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.workbench_steps import PageOfPerson, make_endpoint, open_page, text_of

pytestmark = pytest.mark.slow
WORDS = " ".join(f"word{n}" for n in range(40))
#: Half a minute of answer: whoever sees its end, waited for it.
LONG = " ".join(f"word{n}" for n in range(600))
SLOWLY = Behaviour(chunk_delay_s=0.05)


@pytest.fixture(autouse=True)
def quick_to_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the processes that the stack starts: a page is left after a second and a half."""
    monkeypatch.setenv("LLMOPS_PAGE_AWAY_S", "1.5")


@pytest.fixture
def person(
    quick_to_leave: None, live_stack: LiveStack, project: Project, loopback_provider: LoopbackProvider
) -> PageOfPerson:
    make_endpoint(project, loopback_provider)
    return open_page(project, live_stack.url)


def test_a_run_streams_to_the_page_and_is_kept(
    person: PageOfPerson, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = Behaviour(chunk_delay_s=0.01)
    with person.follow() as stream:
        asked = person.run(WORDS)["calls"][0]
        events = stream.until("done", "failed")
    types = [event["type"] for event in events]
    assert (types[0], types[-1], set(types[1:-1])) == ("started", "done", {"text"})
    assert len(types) > 5
    assert text_of(events, asked["id"]) == WORDS
    end, call = events[-1], Call.objects.get()
    assert end["id"] == asked["id"] == str(call.pk)
    assert (end["output"], call.output) == (WORDS, WORDS)
    assert (call.input_tokens, call.output_tokens, call.status) == (40, 40, "completed")
    assert call.time_to_first_token_ms is not None
    assert call.duration_ms is not None
    assert 0 < call.time_to_first_token_ms < call.duration_ms
    span = Span.objects.select_related("trace").get(pk=call.span_id)
    assert (span.origin, span.trace.source, span.output) == (f"call:{call.pk}", "workbench", WORDS)
    assert (span.trace.user, span.prompt_version) == (person.user.email, None)


def test_a_lost_connection_goes_on_where_it_was_and_a_reload_begins_anew(
    person: PageOfPerson, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = Behaviour(chunk_delay_s=0.02)
    with person.follow() as stream:
        call = person.run(WORDS)["calls"][0]
        before = stream.until("text", ends=3)
        last = stream.last_id
    with person.follow(last_id=last) as stream:
        after = stream.until("done")
    assert "started" not in {event["type"] for event in after}
    assert text_of(before + after, call["id"]) == WORDS
    with person.follow() as stream:
        assert text_of(stream.until("done"), call["id"]) == WORDS
    assert person.calls() == [after[-1]["id"]]


def test_stop_takes_hold_before_the_end_and_keeps_what_came(
    person: PageOfPerson, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = SLOWLY
    with person.follow() as stream:
        call = person.run(LONG)["calls"][0]
        stream.until("text", ends=4)
        person.stop(call["id"])
        [*_, end] = stream.until("cancelled", "done", "failed")
    assert (end["type"], end["error"]) == ("cancelled", "Stopped.")
    assert end["output"]
    assert LONG.startswith(end["output"])
    assert Call.objects.get().span_id is not None
    wait_until(lambda: loopback_provider.at_once == 0, seconds=5, what="The provider's connection")


def test_a_page_that_stays_away_has_its_call_cancelled_unless_it_is_kept(
    person: PageOfPerson, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = SLOWLY
    kept = open_page(person.project, person.url)
    with person.follow() as stream, kept.follow() as other:
        person.run(LONG)
        kept.run(" ".join(LONG.split()[:120]), keep=True)
        stream.until("text")
        other.until("text")
    wait_until(lambda: Call.objects.filter(status="cancelled").count() == 1, seconds=10, what="The left call")
    left = Call.objects.get(status="cancelled")
    assert (left.error_kind, left.prompt) == ("page_left", person.prompt)
    assert left.output
    wait_until(lambda: Call.objects.filter(status="completed").count() == 1, seconds=20, what="The kept call")


def test_a_page_that_looks_keeps_its_call(person: PageOfPerson, loopback_provider: LoopbackProvider) -> None:
    loopback_provider.behaviour = Behaviour(latency_s=4)  # longer than a page may be away; nothing comes
    with person.follow() as stream:
        person.run("hello")
        assert stream.until("done", "cancelled")[-1]["output"] == "hello"
        assert stream.comments > 3


def test_a_killed_worker_leaves_no_call_running(
    person: PageOfPerson, live_stack: LiveStack, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = SLOWLY
    with person.follow() as stream:
        call = person.run(LONG)["calls"][0]
        before = stream.until("text", ends=5)
        live_stack.kill("interactive")
        Call.objects.update(lease_until=timezone.now())
        calls_sweep()
        rest = stream.until("failed")
    end = rest[-1]
    assert (end["error_kind"], end["status"]) == ("worker_lost", "failed")
    assert end["output"] == text_of(before + rest, call["id"])
    assert calls_sweep() == 0


def test_a_worker_that_ends_in_order_says_so_to_its_pages(
    person: PageOfPerson, live_stack: LiveStack, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.behaviour = SLOWLY
    with person.follow() as stream:
        person.run(LONG)
        stream.until("text", ends=3)
        process = live_stack.processes.pop("default,interactive,llm")
        os.kill(process.pid, signal.SIGTERM)
        [*_, end] = stream.until("failed", "done", "cancelled")
        assert process.wait(10) == 0
    assert end["error_kind"] == "worker_stopped"
    assert end["output"]


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("401", "authentication"), ("429", "rate_limited"), ("500", "overloaded"), ("reset", "connection")],
)
def test_a_failure_is_told_with_its_kind(
    person: PageOfPerson, loopback_provider: LoopbackProvider, mode: str, kind: str
) -> None:
    loopback_provider.behaviour = Behaviour(mode=mode)
    with person.follow() as stream:
        person.run("hello")
        end = stream.until("failed", "done")[-1]
    assert (end["type"], end["error_kind"], bool(end["error"])) == ("failed", kind, True)


def test_forty_streams_at_once_all_progress_and_hold_no_database_connection(
    person: PageOfPerson, loopback_provider: LoopbackProvider
) -> None:
    all_have_begun = threading.Event()
    loopback_provider.behaviour = Behaviour(held_until=all_have_begun)
    pages = [person, *(open_page(person.project, person.url) for _ in range(39))]
    streams = [each.follow() for each in pages]
    calls = [each.run(WORDS)["calls"][0] for each in pages]
    firsts = [stream.until("text")[-1] for stream in streams]
    assert {first["call"] for first in firsts} == {call["id"] for call in calls}
    assert loopback_provider.most_at_once == 40
    assert database_connections("llmops-web") < 20
    all_have_begun.set()
    ends = [stream.until("done", "failed", "cancelled")[-1] for stream in streams]
    assert [end["output"] for end in ends] == [WORDS] * 40
    assert [end["call"] for end in ends] == [call["id"] for call in calls]
    for stream in streams:
        stream.close()


def test_a_stream_ends_for_somebody_who_left_the_project_and_is_never_anothers(
    person: PageOfPerson, project: Project, other_project: Project
) -> None:
    other = PageOfPerson(project, person.prompt, make_member(project, Role.EDITOR), person.url)
    person.run("mine")
    with person.follow() as stream:
        stream.until("done")
    with other.follow(page=person.page) as theirs:
        other.page = person.page
        other.run("theirs")
        assert {event["output"] for event in theirs.until("done") if event["type"] == "done"} == {"theirs"}
    Membership.objects.filter(user=other.user).delete()
    with other.follow() as refused:
        assert refused.status == 404
    elsewhere = open_page(other_project, person.url)
    elsewhere.client.force_login(person.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    with elsewhere.follow() as refused:
        assert refused.status == 404


def test_the_web_server_stops_in_time_with_streams_open(person: PageOfPerson, live_stack: LiveStack) -> None:
    streams = [person.follow() for _ in range(5)]
    process = live_stack.processes.pop("web")
    os.kill(process.pid, signal.SIGTERM)
    process.wait(10)
    for stream in streams:
        stream.close()


def database_connections(name: str) -> int:
    """Of all processes but this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND application_name = %s",
            [name],
        )
        found: int = cursor.fetchone()[0]
    return found
