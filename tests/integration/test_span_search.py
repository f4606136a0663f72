"""Looking for spans by everything that they can be looked for by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import QueryDict

from apps.core.models import Project
from apps.traces.ids import first_id_at, id_at
from apps.traces.models import Span, Trace
from apps.traces.scores import END_USER, THUMB, span_score_set
from apps.traces.selectors import SpanFilter, span_filter_read, span_search
from tests.factories.feedback import make_span
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def spans(project: Project, other_project: Project) -> dict[str, Span]:
    prompt = make_prompt(project, "Support")
    first = make_version(prompt, "Help: {{ question }}", parameters={"model": "fake/echo"})
    second = make_version(prompt, "Please help: {{ question }}", parameters={"model": "fake/echo"})
    found = {
        "refund": make_span(
            project, "Where is my refund?", "On its way", prompt_version=first, user="ada", session="s1"
        ),
        "parcel": make_span(
            project, "A parcel", "It was lost", prompt_version=second, session="s1", model_name="loop/large"
        ),
        "failed": make_span(project, "Why?", "", error_kind="timeout", source="ingest", tags=["beta"]),
        "judge": make_span(project, "Is a refund fair?", "yes", kind="evaluator", source="run"),
        "old": make_span(
            project, "Long ago", "there was", id=id_at(BEGAN), started_at=BEGAN, external_id="app-1"
        ),
    }
    make_span(other_project, "Where is my refund?", "No", user="ada", session="s1")
    for name, value in (("refund", 1.0), ("parcel", 0.0)):
        span_score_set(
            project_id=project.pk,
            span_id=found[name].pk,
            metric=THUMB,
            source=END_USER,
            rater="x",
            value=value,
        )
    return found


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "old refund parcel failed"),
        ("kind=all", "old refund parcel failed judge"),
        ("kind=evaluator", "judge"),
        ("text=refund", "refund"),
        ("text=%22was+lost%22", "parcel"),
        ("text=refund+or+parcel&kind=all", "refund parcel judge"),
        ("prompt=support", "refund parcel"),
        ("prompt=support&version=2", "parcel"),
        ("prompt=nothing", ""),
        ("model=loop/large", "parcel"),
        ("session=s1", "refund parcel"),
        ("user=ada", "refund"),
        ("source=ingest", "failed"),
        ("error=any", "failed"),
        ("error=none&session=s1&user=ada", "refund"),
        ("error=timeout", "failed"),
        ("tag=beta", "failed"),
        ("external_id=app-1", "old"),
        ("metric=thumb", "refund parcel"),
        ("metric=thumb&low=0&high=0", "parcel"),
        ("metric=thumb&low=0.5", "refund"),
        ("metric=thumb&score_source=human", ""),
        ("since=2026-03-01&until=2026-03-01", "old"),
        ("since=2026-03-01T12:00:01Z", "refund parcel failed"),
        ("until=2026-02-28", ""),
        ("until=9999-12-31", "old refund parcel failed"),
        ("since=0001-01-01&until=9999-12-31T23:59:59Z", "old refund parcel failed"),
        ("text=%00&version=x&low=nan&since=never&until=9999-99-99", "old refund parcel failed"),
    ],
)
def test_each_filter_finds_its_spans(
    project: Project, spans: dict[str, Span], query: str, names: str
) -> None:
    wanted = span_filter_read(QueryDict(query))
    by_id = {span.pk: name for name, span in spans.items()}
    found = span_search(project=project, filter=wanted).order_by("-id")
    assert {by_id[span.pk] for span in found} == set(names.split())
    again = span_filter_read(QueryDict(wanted.query_string))
    assert again == wanted


def test_a_trace_that_forgets_its_user_takes_the_name_off_its_spans(
    project: Project, spans: dict[str, Span]
) -> None:
    Trace.objects.filter(project=project, user="ada").update(user="")
    assert not span_search(project=project, filter=SpanFilter(user="ada")).exists()
    spans["refund"].refresh_from_db()
    assert (spans["refund"].user, spans["refund"].session, spans["refund"].source) == (
        "",
        "s1",
        "application",
    )


def test_a_text_of_any_size_can_be_kept_and_found_at_both_ends(project: Project) -> None:
    words = " ".join(f"word{n}" for n in range(80_000))
    odd: Any = [{"role": "user", "content": f"alpha {words} omega"}, {"role": "tool"}, "no object", 7]
    span = make_span(project, messages=odd, output="x" * 900_000)
    for text in ("alpha", "omega"):
        assert span_search(project=project, filter=SpanFilter(text=text)).get() == span


def test_ids_stand_where_their_time_does() -> None:
    later = BEGAN + timedelta(milliseconds=1)
    assert first_id_at(BEGAN) <= id_at(BEGAN) < first_id_at(later)
    assert id_at(BEGAN).version == 7
