"""Calls over real processes: a page's request, a worker, the provider's stream, the page's stream."""

from __future__ import annotations

import pytest

from apps.core.models import Project
from apps.traces.models import Span
from apps.workbench.models import Call
from tests.live_stack import LiveStack
from tests.loopback_provider import Behaviour, LoopbackProvider
from tests.workbench_steps import make_endpoint, open_page, text_of

pytestmark = pytest.mark.slow
WORDS = " ".join(f"word{n}" for n in range(40))


def test_a_run_streams_to_the_page_and_is_kept(
    live_stack: LiveStack, project: Project, loopback_provider: LoopbackProvider
) -> None:
    make_endpoint(project, loopback_provider)
    loopback_provider.behaviour = Behaviour(chunk_delay_s=0.01)
    page = open_page(project, live_stack.url)
    with page.follow() as stream:
        asked = page.run(WORDS)["calls"][0]
        events = stream.until("done", "failed")
    types = [event["type"] for event in events]
    assert (types[0], types[-1], set(types[1:-1])) == ("started", "done", {"text"})
    assert len(types) > 5
    assert text_of(events, asked["id"]) == WORDS
    end = events[-1]
    call = Call.objects.get()
    assert end["id"] == asked["id"] == str(call.pk)
    assert (end["output"], call.output) == (WORDS, WORDS)
    assert (call.input_tokens, call.output_tokens, call.status) == (40, 40, "completed")
    assert 0 < call.time_to_first_token_ms < call.duration_ms
    span = Span.objects.select_related("trace").get(pk=call.span_id)
    assert (span.origin, span.trace.source, span.output) == (f"call:{call.pk}", "workbench", WORDS)
    assert (span.trace.user, span.prompt_version) == (page.user.email, None)
