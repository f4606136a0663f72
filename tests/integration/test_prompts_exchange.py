"""Prompts out of one project and into another, over pages and REST: nothing is lost without a word."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.prompts.exchange.formats import FORMATS
from apps.prompts.exporting import project_export, version_export
from apps.prompts.importing import ImportRefused, prompts_import, proposed, read_import
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.services import prompt_tag
from tests.factories.prompts import SYSTEM, make_prompt, make_version

SignedIn = Callable[[Role], Client]
Keyed = Callable[[Role], APIClient]
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"q": 1}'}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
API = "/api/v1/prompts/"


@pytest.fixture
def version(project: Project) -> PromptVersion:
    make_version(make_prompt(project, "Tone"), "Be {{ mood }}.")
    prompt = make_prompt(project, "Fix grammar", folder="support/replies")
    prompt_tag(prompt=prompt, by=SYSTEM, tags=["on", "1e3"])
    version = make_version(
        prompt,
        messages=[
            {"role": "system", "content": 'Trailing \nCRLF\r\n{% include "tone" %}\n\ttab\n'},
            {"role": "placeholder", "name": "history"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "", "tool_call_id": "c1"},
            {"role": "user", "content": "{{ sentence }} 👋", "name": "ann"},
        ],
        parameters={
            "model": "local/tiny",
            "temperature": 0.7,
            "stop": ["yes", "\n"],
            "extra": {"k": [1, None]},
        },
        tools=[TOOL],
        response_schema={"type": "object", "properties": {"yes": {"enum": ["no", "~"]}}},
        commit_message="the first: #1",
    )
    label_set(prompt=prompt, by=SYSTEM, name="production", version=version)
    return version


def import_text(project: Project, text: str, **options: Any) -> list[Any]:
    _, found = read_import(text.encode())
    dry_run = options.pop("dry_run", False)
    choices = proposed(project=project, found=found, **options)
    return prompts_import(project=project, by=SYSTEM, found=found, choices=choices, dry_run=dry_run)


def newest(project: Project, slug: str) -> PromptVersion:
    return PromptVersion.objects.filter(prompt__project=project, prompt__slug=slug).latest("number")


def test_our_yaml_is_the_same_to_the_byte_after_a_journey_through_another_project(
    project: Project, other_project: Project, version: PromptVersion
) -> None:
    everything = "".join(project_export(project=project))
    outcomes = import_text(other_project, everything)
    assert [outcome.kind for outcome in outcomes] == ["created", "created"], outcomes
    assert "".join(project_export(project=other_project)) == everything
    there = newest(other_project, "fix-grammar")
    for name in ("messages", "parameters", "tools", "response_schema", "variables", "commit_message"):
        assert getattr(there, name) == getattr(version, name), name
    assert list(there.includes) == ["tone"]
    assert (there.prompt.folder, there.prompt.tags) == ("support/replies", ["on", "1e3"])


def test_a_prompt_that_others_include_goes_first_wherever_it_stands_in_the_file(
    other_project: Project, version: PromptVersion, project: Project
) -> None:
    documents = "".join(project_export(project=project)).split("---\n")[1:]
    assert "name: Tone" in documents[1]
    import_text(other_project, "---\n".join(["", *documents]))
    assert newest(other_project, "fix-grammar").includes["tone"]["version"] == 1


def test_importing_again_saves_nothing_and_a_change_becomes_the_next_version(
    project: Project, version: PromptVersion
) -> None:
    text = version_export(version=version, format="yaml").text
    again = import_text(project, text)
    assert (again[0].kind, again[0].reason) == (
        "unchanged",
        "This is the same as version 1, so no new version was saved.",
    )
    changed = import_text(project, text.replace("{{ sentence }}", "{{ text }}"))
    assert (changed[0].kind, changed[0].slug, changed[0].number) == ("saved", "fix-grammar", 2)


def test_a_preview_tells_what_would_be_made_and_makes_nothing(
    other_project: Project, version: PromptVersion, project: Project
) -> None:
    before = AuditEvent.objects.count()
    outcomes = import_text(other_project, "".join(project_export(project=project)), dry_run=True)
    assert [outcome.kind for outcome in outcomes] == ["created", "created"]
    assert outcomes[0].variables
    assert not Prompt.objects.filter(project=other_project).exists()
    assert AuditEvent.objects.count() == before


def test_one_bad_prompt_keeps_no_other_from_being_imported(other_project: Project) -> None:
    head = "---\nformat: llmops-web/prompt\nformat_version: 1\n"
    text = (
        f"{head}name: Good\nmessages: [{{role: user, content: hi}}]\n"
        f"{head}name: Broken\nmessages: [{{role: user, content: '{{% if %}}'}}]\n"
        f"{head}name: Lost\nmessages: [{{role: user, content: '{{% include \"nobody\" %}}'}}]\n"
        f"{head}messages: []\n"
    )
    outcomes = import_text(other_project, text)
    assert [outcome.kind for outcome in outcomes] == ["created", "failed", "failed", "failed"]
    assert "messages[0].content" in outcomes[1].reason
    assert "nobody" in outcomes[2].reason
    assert list(Prompt.objects.filter(project=other_project).values_list("slug", flat=True)) == ["good"]


def test_a_model_is_found_by_its_name_among_the_projects_providers(project: Project, fake: Any) -> None:
    request = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}
    outcomes = import_text(project, json.dumps(request), name="Echo")
    assert newest(project, "echo").parameters == {"model": "fake/echo"}, outcomes
    outcomes = import_text(project, json.dumps({**request, "model": "gpt-9"}), name="Other")
    assert "model" not in newest(project, "other").parameters
    assert "gpt-9" in outcomes[0].losses[0]


def test_a_file_that_cannot_be_read_is_refused(project: Project) -> None:
    with pytest.raises(ImportRefused, match="Line 2"):
        read_import(b"a: &x 1\nb: *x\n")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_goes_out_and_comes_in_over_rest(
    api_client: Keyed, project: Project, version: PromptVersion, name: str
) -> None:
    viewer, editor = api_client(Role.VIEWER), api_client(Role.EDITOR)
    exported = viewer.get(f"{API}fix-grammar/export/?format={name}&version=production")
    assert exported.status_code == 200, exported.content
    answer = exported.json()
    assert answer["format"] == name
    assert answer["losses"]
    assert answer["filename"].startswith("fix-grammar.v1.")
    body = {"content": answer["content"], "name": "Copy", "dry_run": True}
    assert viewer.post(f"{API}-/import/", body, format="json").status_code == 403
    looked = editor.post(f"{API}-/import/", body, format="json").json()
    assert looked["formats"] == [FORMATS[name].label]
    assert looked["prompts"][0]["status"] in ("unchanged", "saved", "created"), looked
    done = editor.post(f"{API}-/import/", {**body, "dry_run": False}, format="json").json()
    assert done["prompts"][0]["status"] == looked["prompts"][0]["status"]


def test_rest_refuses_what_is_no_file_and_no_format(api_client: Keyed, version: PromptVersion) -> None:
    editor = api_client(Role.EDITOR)
    for content in ("just words", "a: *b", "[", "{", "\t", "x" * 2_000_001, "a\x00"):
        answer = editor.post(f"{API}-/import/", {"content": content}, format="json")
        assert answer.status_code == 400, content[:20]
        assert "content" in answer.json()["errors"]
    assert editor.get(f"{API}fix-grammar/export/?format=docx").status_code == 400
    assert editor.get(f"{API}fix-grammar/export/?version=99").status_code == 404
    assert "Tone" in editor.get(f"{API}-/export/").json()["content"]


def test_the_request_of_a_prompt_is_filled_in_and_ready_to_be_sent(
    api_client: Keyed, project: Project, fake: Any
) -> None:
    parameters = {"model": "fake/echo", "max_tokens": 5, "extra": {"top_k": 2}}
    make_version(make_prompt(project, "Ask"), "Q: {{ q }}", parameters=parameters, tools=[TOOL])
    viewer = api_client(Role.VIEWER)
    answer = viewer.post(f"{API}ask/request/", {"inputs": {"q": "why"}}, format="json").json()
    assert answer == {
        "model": "echo",
        "max_tokens": 5,
        "top_k": 2,
        "tools": [TOOL],
        "messages": [{"role": "user", "content": "Q: why"}],
    }
    other = viewer.post(f"{API}ask/request/", {"inputs": {"q": ""}, "model": "gpt"}, format="json").json()
    assert other["model"] == "gpt"
    assert viewer.post(f"{API}ask/request/", {}, format="json").status_code == 400


# --- pages ---


def url(project: Project, path: str = "") -> str:
    return f"/p/{project.slug}/prompts/{path}"


def test_a_file_is_looked_at_before_it_is_imported(
    client_as: SignedIn, project: Project, version: PromptVersion
) -> None:
    client = client_as(Role.EDITOR)
    exported = version_export(version=version, format="langfuse").text
    file = SimpleUploadedFile("mine.langfuse.json", exported.encode())
    looked = client.post(url(project, "-/import/"), {"file": file, "folder": ""})
    page = looked.content.decode()
    assert "Read as Langfuse" in page
    assert "Makes version 2 of <code>fix-grammar</code>" in page
    assert "Labels (production) are not set by an import" in page
    assert version.prompt.versions.count() == 1
    context = looked.context
    form = {"content": context["content"], "name": "x", "folder": "", "looked": "1", "take-0": "1"}
    made = client.post(
        url(project, "-/import/"), {**form, "name-0": "A new one", "into-0": "", "save": "1"}, follow=True
    )
    assert made.redirect_chain[-1][0] == url(project, "a-new-one/")
    assert newest(project, "a-new-one").messages[-1]["content"] == "{{ sentence }} 👋"


def test_what_cannot_be_imported_is_shown_and_can_be_mended(client_as: SignedIn, project: Project) -> None:
    client = client_as(Role.EDITOR)
    make_prompt(project, "Taken")
    content = json.dumps({"messages": [{"role": "user", "content": "<script>alert(1)</script>"}]})
    form = {
        "content": content,
        "name": "x",
        "folder": "",
        "looked": "1",
        "take-0": "1",
        "into-0": "",
        "save": "1",
    }
    refused = client.post(url(project, "-/import/"), {**form, "name-0": "Taken"})
    page = refused.content.decode()
    assert "Taken by another prompt" in page
    assert "<script>alert" not in page
    assert client.post(url(project, "-/import/"), {**form, "name-0": "Free"}).status_code == 302
    assert newest(project, "free").number == 1


@pytest.mark.parametrize(
    ("content", "words"), [("", "Choose a file"), ("a: *b", "aliases"), ("x", "formats")]
)
def test_a_bad_file_is_told_at_the_field(
    client_as: SignedIn, project: Project, content: str, words: str
) -> None:
    answer = client_as(Role.EDITOR).post(url(project, "-/import/"), {"content": content})
    assert answer.status_code == 400
    assert words in answer.content.decode()


@pytest.mark.parametrize("name", FORMATS)
def test_a_version_is_shown_and_downloaded_in_each_format(
    client_as: SignedIn, project: Project, version: PromptVersion, name: str
) -> None:
    client = client_as(Role.VIEWER)
    page = client.get(url(project, f"fix-grammar/export/?format={name}&version=1"))
    assert page.status_code == 200
    file = client.get(url(project, f"fix-grammar/export/?format={name}&version=1&download=1"))
    text = b"".join(file.streaming_content).decode()
    assert text == page.context["exported"].text
    assert f'filename="fix-grammar.v1.{FORMATS[name].ending}"' in file["Content-Disposition"]


def test_the_whole_project_is_one_file(client_as: SignedIn, project: Project, version: PromptVersion) -> None:
    file = client_as(Role.EDITOR).get(url(project, "-/export/"))
    text = b"".join(file.streaming_content).decode()
    assert text.count("format: llmops-web/prompt") == 2


def test_exporting_many_prompts_takes_as_many_queries_as_few(project: Project) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert "".join(project_export(project=project))
        return len(seen)

    make_version(make_prompt(project))
    few = queries()
    for _ in range(8):
        make_version(make_prompt(project))
    assert queries() == few


def test_snippets_are_shown_for_a_label_a_version_and_the_newest(
    client_as: SignedIn, project: Project, version: PromptVersion
) -> None:
    client = client_as(Role.VIEWER)
    for which, part in (
        ("production", "&quot;label&quot;: &quot;production&quot;"),
        ("1", "&quot;version&quot;: 1"),
        ("latest", "/api/v1/prompts/fix-grammar/request/"),
    ):
        page = client.get(url(project, f"fix-grammar/use/?version={which}")).content.decode()
        assert part in page
    assert client.get(url(project, "fix-grammar/use/?version=nobody")).status_code == 404
