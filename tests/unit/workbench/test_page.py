"""What the workbench's page begins with, and how its requests are read and refused."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client, RequestFactory

from apps.core.errors import InvalidInput, TooLarge
from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.models import Prompt
from apps.workbench.bodies import json_body
from apps.workbench.drafts.documents import fresh_document
from apps.workbench.models import Call, Draft
from apps.workbench.page import ADDRESSES
from tests.factories.core import make_member, make_project
from tests.factories.prompts import make_prompt, make_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project("Workshop")
    prompt = make_prompt(project, "Repeat")
    make_version(prompt, "Say {{ text }}", commit_message="Plain")
    make_version(prompt, "Say {{ text }} loudly", parameters={"model": "fake/echo"}, commit_message="Loud")
    return project


@pytest.fixture
def editor(project: Project, client: Client) -> Client:
    client.force_login(make_member(project, Role.EDITOR))
    return client


def boot_of(client: Client, project: Project, query: str = "") -> dict[str, Any]:
    response = client.get(f"/p/{project.slug}/prompts/repeat/{query}")
    assert response.status_code == 200
    boot: dict[str, Any] = response.context["boot"]
    return boot


def text_of(column: dict[str, Any]) -> str:
    return str(column["typed"]["messages"][0]["content"])


def test_the_page_begins_from_the_newest_version(editor: Client, project: Project) -> None:
    boot = boot_of(editor, project)
    (column,) = boot["document"]["columns"]
    assert (column["base"], text_of(column), boot["latest"]) == (2, "Say {{ text }} loudly", 2)
    assert [version["note"] for version in boot["versions"]] == ["Loud", "Plain"]
    assert boot["bases"]["2"] == column["typed"]
    assert boot["may_edit"]


def test_every_address_of_the_page_is_there(editor: Client, project: Project) -> None:
    urls = boot_of(editor, project)["urls"]
    assert set(urls) == set(ADDRESSES)
    assert urls["stop"].endswith("/-/calls/{id}/stop/")
    assert urls["version_typed"].endswith("/repeat/versions/{number}/typed/")


def test_a_version_that_is_asked_for_is_in_the_editor(editor: Client, project: Project) -> None:
    boot = boot_of(editor, project, "?version=1")
    (column,) = boot["document"]["columns"]
    assert (column["base"], text_of(column)) == (1, "Say {{ text }}")
    assert "Version 1" in boot["opened"]


def test_a_changed_draft_stays_beside_the_version_that_is_asked_for(editor: Client, project: Project) -> None:
    keep_draft(project, text="My own words")
    boot = boot_of(editor, project, "?version=1")
    mine, asked = boot["document"]["columns"]
    assert (text_of(mine), text_of(asked)) == ("My own words", "Say {{ text }}")
    assert boot["document"]["selected"] == asked["id"]
    assert "not saved" in boot["opened"]


def test_a_call_is_opened_with_what_it_was_made_of(editor: Client, project: Project) -> None:
    prompt = project_prompt(project)
    content = {"messages": [{"role": "user", "content": "Hum {{ text }}"}], "parameters": {}, "tools": []}
    call = Call.objects.create(
        project=project, prompt=prompt, page=uuid4(), batch=uuid4(), model_name="x", content=content,
        inputs={"text": "a tune", "list": [1]},
    )  # fmt: skip
    boot = boot_of(editor, project, f"?call={call.pk}")
    assert text_of(boot["document"]["columns"][0]) == "Hum {{ text }}"
    assert boot["document"]["values"] == {"text": "a tune", "list": "[1]"}


def test_a_version_or_call_that_is_not_there_is_a_page_not_found(editor: Client, project: Project) -> None:
    for query in ("?version=9", "?version=nolabel", "?call=x", f"?call={uuid4()}"):
        assert editor.get(f"/p/{project.slug}/prompts/repeat/{query}").status_code == 404, query


def test_a_viewer_reads_the_version(project: Project, client: Client) -> None:
    client.force_login(make_member(project, Role.VIEWER))
    answer = client.get(f"/p/{project.slug}/prompts/repeat/?version=1").content.decode()
    assert "Say {{ text }}</div>" in answer
    assert "wb-run" not in answer


def test_a_script_is_told_of_problems_as_json(project: Project, client: Client) -> None:
    path = f"/p/{project.slug}/prompts/repeat/versions/9/typed/"
    headers = {"accept": "application/json"}
    viewer = make_member(project, Role.VIEWER)
    signed_out = client.get(path, headers=headers)
    assert (signed_out.status_code, signed_out.json()["code"]) == (401, "signed_out")
    client.force_login(viewer)
    missing = client.get(path, headers=headers)
    assert missing.status_code == 404
    assert missing["Content-Type"].startswith("application/problem+json")
    assert "no version 9" in missing.json()["detail"]
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "body", ["", "[1]", "no", '{"a": NaN}', '{"a": "\\u0000"}', '{"\\ud800": 1}', "[" * 99_999]
)
def test_a_body_that_is_no_storable_object_is_refused(body: str) -> None:
    with pytest.raises(InvalidInput):
        json_body(RequestFactory().post("/", body, content_type="application/json"))


def test_a_body_is_read_whole_or_refused() -> None:
    request = RequestFactory().post("/", json.dumps({"a": "ä" * 10}), content_type="application/json")
    assert json_body(request) == {"a": "ä" * 10}
    with pytest.raises(TooLarge):
        json_body(RequestFactory().post("/", "x" * 101, content_type="application/json"), max_bytes=100)


def project_prompt(project: Project) -> Prompt:
    return Prompt.objects.get(project=project, slug="repeat")


def keep_draft(project: Project, *, text: str) -> None:
    """What the editor of `editor` typed on another day."""
    prompt = project_prompt(project)
    document = fresh_document(prompt.versions.order_by("-number").first())
    document["columns"][0]["typed"]["messages"][0]["content"] = text
    owner = project.memberships.get(role=Role.EDITOR).user
    Draft.objects.create(project=project, prompt=prompt, owner=owner, document=document)
