"""The list of spans, the page of one, and the way from there into the workbench."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.models import PromptVersion
from apps.traces.models import Span
from apps.traces.scores import END_USER, THUMB, span_score_set
from tests.factories.feedback import make_span
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def editor(client_as: Callable[[Role], Client]) -> Client:
    return client_as(Role.EDITOR)


@pytest.fixture
def version(project: Project) -> PromptVersion:
    prompt = make_prompt(project, "Support")
    first = make_version(prompt, "Help: {{ question }}", parameters={"model": "fake/echo"})
    make_version(prompt, "Please help: {{ question }}", parameters={"model": "fake/echo"})
    return first


def list_page(client: Client, project: Project, query: str = "", path: str = "") -> str:
    response = client.get(f"/p/{project.slug}/traces/{path}{query}")
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_shows_pages_and_asks_as_much_for_many_as_for_few(
    editor: Client, project: Project, version: PromptVersion
) -> None:
    assert "No calls yet" in list_page(editor, project)
    counts = []
    for many in (1, 60):
        spans = [make_span(project, f"Question {n} of {many}", prompt_version=version) for n in range(many)]
        for value, rater in ((1.0, "x"), (0.0, "y")):
            for span in spans:
                span_score_set(
                    project_id=project.pk,
                    span_id=span.pk,
                    metric=THUMB,
                    source=END_USER,
                    rater=rater,
                    value=value,
                )
        list_page(editor, project)
        with CaptureQueriesContext(connection) as queries:
            page = list_page(editor, project, "?metric=thumb&low=0&high=0&prompt=support")
        counts.append(len(queries))
    assert counts[0] == counts[1] < 14
    assert "Question 59 of 60" in page
    assert "1 up, 1 down" in page
    assert "Question 0 of 60" not in page
    second = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "Question 0 of 60" in list_page(editor, project, second)
    assert "Nothing matches" in list_page(editor, project, "?text=zzzz")


def test_the_page_of_a_span_shows_everything_as_text(
    editor: Client, project: Project, version: PromptVersion, other_project: Project
) -> None:
    span = make_span(
        project,
        HOSTILE,
        f"{HOSTILE} and more",
        prompt_version=version,
        session="s-1",
        user="ada",
        tags=["web"],
        parameters={"model": "fake/echo", "temperature": 0.5},
        tool_calls=[{"id": "1", "name": "look_up", "arguments": '{"order": 7}'}, "nonsense"],
    )
    Span.objects.create(
        project=project, trace=span.trace, kind="tool", name="look up", started_at=span.started_at
    )
    page = list_page(editor, project, path=f"{span.pk}/")
    assert HOSTILE not in page
    for text in ("and more", "temperature", "s-1", "ada", "web", "look_up", "look up", "(this one)"):
        assert text in page
    assert f"/prompts/support/?span={span.pk}" in page
    bare = make_span(project, messages=[], inputs=None)
    assert "Open in the workbench" not in list_page(editor, project, path=f"{bare.pk}/")
    theirs = make_span(other_project)
    assert editor.get(f"/p/{project.slug}/traces/{theirs.pk}/").status_code == 404


def test_the_workbench_opens_with_a_spans_version_and_inputs(
    editor: Client, project: Project, version: PromptVersion
) -> None:
    span = make_span(project, "Where is it?", prompt_version=version)
    address = f"/p/{project.slug}/prompts/support/?span="
    boot = editor.get(f"{address}{span.pk}").context["boot"]
    column = boot["document"]["columns"][0]
    assert (column["base"], column["parent"]) == (1, 2)
    assert boot["document"]["values"]["question"] == "Where is it?"
    assert boot["opened"] == "Version 1 is in the editor. The values are those of the span."
    for wrong in (make_span(project).pk, "nonsense"):
        assert editor.get(f"{address}{wrong}").status_code == 404
