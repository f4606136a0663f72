"""REST for prompts: what it answers, to whom, and how it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts import api_urls
from apps.prompts.label_services import label_protect
from apps.prompts.models import Prompt
from tests.factories.prompts import SYSTEM, make_prompt, make_version

Keyed = Callable[[Role], APIClient]
BASE = "/api/v1/prompts/"
MESSAGES = [{"role": "system", "content": "Correct this."}, {"role": "user", "content": "{{ sentence }}"}]


@pytest.fixture
def editor(api_client: Keyed) -> APIClient:
    return api_client(Role.EDITOR)


def post(client: APIClient, path: str, body: Any, **headers: str) -> Any:
    return client.post(BASE + path, body, format="json", headers=headers)


def test_a_prompt_is_made_read_changed_and_listed(editor: APIClient) -> None:
    made = post(editor, "", {"name": "Grammar fix", "folder": "writing"})
    assert made.status_code == 201
    assert (made.data["slug"], made.data["latest_version"], made.data["labels"]) == ("grammar-fix", None, {})
    changed = editor.patch(f"{BASE}grammar-fix/", {"name": "Mending", "archived": True}, format="json")
    assert (changed.data["slug"], changed.data["name"]) == ("grammar-fix", "Mending")
    assert changed.data["archived_at"] is not None
    assert editor.get(BASE).json()["results"] == []
    assert [p["slug"] for p in editor.get(f"{BASE}?archived=true").json()["results"]] == ["grammar-fix"]


def test_a_creation_with_the_same_idempotency_key_happens_once(editor: APIClient) -> None:
    answers = [post(editor, "", {"name": "Once"}, **{"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    saves = [
        post(editor, "once/versions/", {"messages": MESSAGES}, **{"Idempotency-Key": "k2"}) for _ in range(2)
    ]
    assert [s.json()["number"] for s in saves] == [1, 1]


def test_versions_are_saved_and_read_by_number_label_and_latest(editor: APIClient) -> None:
    post(editor, "", {"name": "Fix"})
    body = {
        "messages": MESSAGES,
        "parameters": {"model": "local/tiny", "temperature": 0, "stop": "\n", "extra": {"top_k": 5}},
        "response_schema": {"type": "object"},
        "commit_message": "first",
    }
    saved = post(editor, "fix/versions/", body)
    assert saved.status_code == 201, saved.data
    assert saved.data["parameters"] == {**body["parameters"], "stop": ["\n"]}
    assert saved.data["variables"] == ["sentence"]
    post(editor, "fix/versions/", {"messages": MESSAGES[1:]})
    labelled = post(editor, "fix/labels/", {"label": "production", "version": 1})
    assert labelled.status_code == 200
    assert (labelled.data["label"], labelled.data["version"]) == ("production", 1)
    read = {name: editor.get(f"{BASE}fix/versions/{name}/").json() for name in ("1", "production", "latest")}
    assert read["1"] == read["production"]
    assert (read["latest"]["number"], read["latest"]["parent"], read["1"]["labels"]) == (2, 1, ["production"])
    assert [v["number"] for v in editor.get(f"{BASE}fix/versions/").json()["results"]] == [2, 1]
    assert editor.get(f"{BASE}fix/").json()["labels"] == {"production": 1}
    assert editor.delete(f"{BASE}fix/labels/production/").status_code == 204
    assert editor.get(f"{BASE}fix/labels/").json()["results"] == []


def test_a_stale_parent_is_answered_with_both_versions(editor: APIClient, project: Project) -> None:
    prompt = make_prompt(project, "Fix")
    make_version(prompt, "One")
    make_version(prompt, "Two")
    stale = post(editor, "fix/versions/", {"messages": MESSAGES, "parent": 1})
    assert (stale.status_code, stale.data["code"]) == (409, "stale_parent")
    assert stale["Content-Type"] == "application/problem+json"
    assert stale.data["theirs"]["number"] == 2
    assert stale.data["theirs"]["messages"][0]["content"] == "Two"
    assert (stale.data["ours"]["parent"], stale.data["ours"]["messages"]) == (1, MESSAGES)
    assert post(editor, "fix/versions/", {"messages": MESSAGES, "parent": None}).status_code == 409
    assert post(editor, "fix/versions/", {"messages": MESSAGES, "parent": 9}).status_code == 400
    assert post(editor, "fix/versions/", {"messages": MESSAGES, "parent": 2}).data["number"] == 3
    again = post(editor, "fix/versions/", {"messages": MESSAGES})
    assert (again.status_code, again.data["code"]) == (409, "nothing_changed")


def test_render_fills_in_a_version(editor: APIClient, project: Project, api_client: Keyed) -> None:
    prompt = make_prompt(project, "Fix")
    history = {"role": "placeholder", "name": "history"}
    make_version(prompt, messages=[MESSAGES[0], history, MESSAGES[1]], parameters={"model": "local/tiny"})
    make_version(prompt, "Second: {{ other }}")
    viewer = api_client(Role.VIEWER)
    inputs = {"sentence": "He go {{ home }}.", "history": [{"role": "assistant", "content": "Hm {{ x }}"}]}
    answer = post(viewer, "fix/render/", {"inputs": inputs, "version": 1})
    assert answer.status_code == 200, answer.data
    assert answer.data["parameters"] == {"model": "local/tiny"}
    assert answer.data["messages"] == [
        MESSAGES[0],
        {"role": "assistant", "content": "Hm {{ x }}"},
        {"role": "user", "content": "He go {{ home }}."},
    ]
    missing = post(viewer, "fix/render/", {"inputs": {"sentence": "x"}})
    assert (missing.status_code, missing.data["code"], missing.data["variable"]) == (
        400,
        "render_failed",
        "other",
    )
    assert "messages[0].content" in missing.data["errors"]
    assert post(viewer, "fix/render/", {"label": "production"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "user", "content": "{{ a"}]}, "messages[0].content"),
        ({"messages": [{"role": "system", "content": ""}, {"role": "user"}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content"),
        ({"messages": [{"role": "wizard", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": MESSAGES, "parameters": {"temperature": "hot"}}, "parameters.temperature"),
        ({"messages": MESSAGES, "parameters": {"model": "gpt"}}, "parameters.model"),
        ({"messages": MESSAGES, "parameters": []}, "parameters"),
        ({"messages": MESSAGES, "tools": [{"type": "function"}]}, "tools[0]"),
        ({"messages": MESSAGES, "response_schema": {"type": "wizard"}}, "response_schema.type"),
        ({"messages": MESSAGES, "commit_message": "x" * 501}, "commit_message"),
        ({"messages": MESSAGES, "parent": 2**40}, "parent"),
        ({}, "messages"),
    ],
)
def test_bad_versions_name_the_place(editor: APIClient, project: Project, body: Any, place: str) -> None:
    make_prompt(project, "Fix")
    answer = post(editor, "fix/versions/", body)
    assert answer.status_code == 400, answer.data
    assert place in answer.data["errors"]


@pytest.mark.parametrize(
    ("method", "path", "body", "least"),
    [
        ("get", "", None, Role.VIEWER),
        ("post", "", {"name": "New"}, Role.EDITOR),
        ("get", "fix/", None, Role.VIEWER),
        ("patch", "fix/", {"name": "Other"}, Role.EDITOR),
        ("get", "fix/versions/", None, Role.VIEWER),
        ("post", "fix/versions/", {"messages": MESSAGES}, Role.EDITOR),
        ("get", "fix/versions/1/", None, Role.VIEWER),
        ("get", "fix/labels/", None, Role.VIEWER),
        ("post", "fix/labels/", {"label": "staging", "version": 1}, Role.EDITOR),
        ("delete", "fix/labels/staging/", None, Role.EDITOR),
        ("post", "fix/render/", {"inputs": {"sentence": "x"}}, Role.VIEWER),
    ],
)
def test_each_call_wants_its_role_and_stays_in_its_project(
    api_client: Keyed, project: Project, method: str, path: str, body: Any, least: Role
) -> None:
    make_version(make_prompt(project, "Fix"), "{{ sentence }}")
    for role in Role:
        answer = getattr(api_client(role), method)(BASE + path, body, format="json")
        assert (
            (answer.status_code < 300) == (role >= least)
            or answer.data.get("code") == "nothing_changed"
            or (answer.data.get("code") == "name_taken")
        ), (role, answer.data)
        assert (answer.status_code == 403) == (role < least)
    assert getattr(APIClient(), method)(BASE + path, body, format="json").status_code == 401


def test_another_projects_prompt_cannot_be_reached(editor: APIClient, other_project: Project) -> None:
    make_version(make_prompt(other_project, "Secret"))
    assert editor.get(BASE).json()["results"] == []
    for path in ("secret/", "secret/versions/", "secret/versions/1/", "secret/labels/"):
        assert editor.get(BASE + path).status_code == 404
    assert post(editor, "secret/versions/", {"messages": MESSAGES}).status_code == 404
    assert post(editor, "secret/render/", {"inputs": {}}).status_code == 404
    assert post(editor, "secret/labels/", {"label": "x", "version": 1}).status_code == 404


def test_a_protected_label_needs_an_approvers_key(api_client: Keyed, project: Project) -> None:
    project_labels = api_client(Role.EDITOR)
    make_version(make_prompt(project, "Fix"))
    label_protect(project=project, by=SYSTEM, name="production")
    body = {"label": "production", "version": 1}
    refused = post(project_labels, "fix/labels/", body)
    assert (refused.status_code, refused.data["code"]) == (403, "label_protected")
    assert post(api_client(Role.APPROVER), "fix/labels/", body).status_code == 200


def test_lists_take_as_many_queries_for_many_as_for_few(editor: APIClient, project: Project) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert editor.get(BASE + path).status_code == 200
        return len(captured)

    prompt: Prompt = make_prompt(project, "Fix")
    make_version(prompt)
    editor.get(BASE)  # a key's first use in a while is written down
    few = [queries(path) for path in ("", "fix/versions/")]
    for _ in range(8):
        make_version(prompt)
        make_version(make_prompt(project))
    assert [queries(path) for path in ("", "fix/versions/")] == few
    assert max(few) <= 8


def test_the_schema_of_these_calls_has_no_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    schema = SchemaGenerator(patterns=api_urls.urlpatterns).get_schema(request=None, public=True)
    assert len(schema["paths"]) == 11
    assert "Warning" not in capsys.readouterr().err
