"""The pages of prompts: who sees what, and that nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.label_services import label_protect, label_set
from apps.prompts.models import Prompt, ProtectedLabel
from tests.factories.prompts import SYSTEM, make_prompt, make_version

SignedIn = Callable[[Role], Client]


@pytest.fixture
def prompt(project: Project) -> Prompt:
    prompt = make_prompt(project, "Fix", folder="writing")
    version = make_version(
        prompt, "Correct: {{ sentence }}", parameters={"temperature": 0.5, "stop": ["END"]}
    )
    label_set(prompt=prompt, by=SYSTEM, name="staging", version=version)
    return prompt


def url(project: Project, path: str = "") -> str:
    return f"/p/{project.slug}/prompts/{path}"


def form(*messages: tuple[str, str], **fields: Any) -> dict[str, Any]:
    post: dict[str, Any] = {}
    for index, (role, content) in enumerate(messages):
        post |= {f"messages-{index}-role": role, f"messages-{index}-content": content}
    return post | fields


PAGES = [
    ("get", "", Role.VIEWER),
    ("get", "-/new/", Role.EDITOR),
    ("post", "-/new/", Role.EDITOR),
    ("get", "-/protected-labels/", Role.VIEWER),
    ("post", "-/protected-labels/protect/", Role.ADMIN),
    ("post", "-/protected-labels/production/unprotect/", Role.ADMIN),
    ("get", "fix/", Role.VIEWER),
    ("post", "fix/save/", Role.EDITOR),
    ("post", "fix/preview/", Role.VIEWER),
    ("get", "fix/settings/", Role.EDITOR),
    ("post", "fix/archive/", Role.EDITOR),
    ("post", "fix/restore/", Role.EDITOR),
    ("get", "fix/versions/", Role.VIEWER),
    ("get", "fix/versions/1/", Role.VIEWER),
    ("get", "fix/diff/", Role.VIEWER),
    ("get", "fix/labels/", Role.VIEWER),
    ("post", "fix/labels/set/", Role.EDITOR),
    ("post", "fix/labels/staging/remove/", Role.EDITOR),
]


@pytest.mark.parametrize(("method", "path", "least"), PAGES)
def test_each_page_wants_its_role_and_hides_from_strangers(
    client_as: SignedIn,
    stranger_client: Client,
    project: Project,
    prompt: Prompt,
    method: str,
    path: str,
    least: Role,
) -> None:
    for role in Role:
        status = getattr(client_as(role), method)(url(project, path)).status_code
        assert (status == 403) == (role < least), (role, status)
        assert status < 500
        assert role < least or status != 404
    assert getattr(stranger_client, method)(url(project, path)).status_code == 404
    assert getattr(Client(), method)(url(project, path)).status_code == 302


def test_another_projects_prompt_is_not_found(
    client_as: SignedIn, project: Project, other_project: Project
) -> None:
    make_version(make_prompt(other_project, "Secret"))
    admin = client_as(Role.ADMIN)
    for path in ("secret/", "secret/versions/", "secret/versions/1/", "secret/diff/", "secret/labels/"):
        assert admin.get(url(project, path)).status_code == 404
    assert admin.post(url(project, "secret/save/"), form(("user", "x"))).status_code == 404


def test_a_prompt_is_written_and_saved_with_plain_forms(client_as: SignedIn, project: Project) -> None:
    client = client_as(Role.EDITOR)
    made = client.post(url(project, "-/new/"), {"name": "Grammar", "folder": "a/b"})
    assert made.url == url(project, "grammar/")
    page = client.get(made.url).content.decode()
    assert 'name="messages-0-content"' in page
    saved = client.post(
        url(project, "grammar/save/"),
        form(
            ("system", "Correct\r\nthis."),
            ("placeholder", ""),
            ("user", "{{ sentence }}"),
            **{
                "messages-1-name": "history",
                "temperature": "0",
                "max_tokens": "64",
                "stop": "END\r\n\\n\\n###\r\n",
                "extra": '{"top_k": 3}',
                "tools": '[{"type": "function", "function": {"name": "look_up"}}]',
                "commit_message": "the first",
            },
        ),
        follow=True,
    )
    assert "Version 1 is saved." in saved.content.decode()
    version = Prompt.objects.get(slug="grammar").versions.get()
    assert version.messages == [
        {"role": "system", "content": "Correct\nthis."},
        {"role": "placeholder", "name": "history"},
        {"role": "user", "content": "{{ sentence }}"},
    ]
    assert version.parameters == {
        "temperature": 0,
        "max_tokens": 64,
        "stop": ["END", "\n\n###"],
        "extra": {"top_k": 3},
    }
    assert "END\n\\n\\n###</textarea>" in client.get(made.url).content.decode()
    assert version.tools[0]["function"]["name"] == "look_up"
    assert version.author_label.endswith("@example.com")


def test_a_refused_save_shows_the_whole_form_again(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    bad = form(
        ("system", "Fine text"),
        ("user", "line one\n{% for %}"),
        parent="1",
        temperature="7",
        extra="{broken",
        commit_message="why I did it",
    )
    answer = client_as(Role.EDITOR).post(url(project, "fix/save/"), bad)
    page = answer.content.decode()
    assert answer.status_code == 400
    for typed in ("Fine text", "line one", "{% for %}", "{broken", "why I did it", 'value="7"'):
        assert typed in page
    assert "this is not JSON" in page
    bad["extra"] = ""
    page = client_as(Role.EDITOR).post(url(project, "fix/save/"), bad).content.decode()
    assert "Message 2, line 2: " in page
    assert "Give a number from 0 to 2." in page
    assert prompt.versions.count() == 1


def test_the_row_buttons_work_without_javascript(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    client = client_as(Role.EDITOR)

    def texts(command: str) -> list[str]:
        post = form(("system", "first"), ("user", "second"), edit=command, commit_message="kept")
        answer = client.post(url(project, "fix/save/"), post)
        assert 'value="kept"' in answer.content.decode()
        return [row.content for row in answer.context["editor"].rows]

    assert texts("add") == ["first", "second", ""]
    assert texts("down-0") == ["second", "first"]
    assert texts("up-1") == ["second", "first"]
    assert texts("remove-0") == ["second"]
    assert texts("up-0") == texts("remove-99") == texts("nonsense") == ["first", "second"]
    assert prompt.versions.count() == 1


def test_messages_at_the_ends_cannot_be_moved_further(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    make_version(prompt, messages=[{"role": "user", "content": text} for text in ("a", "b", "c")])
    rows = client_as(Role.EDITOR).get(url(project, "fix/")).content.decode().split("<template")[0]
    disabled = [f"{way}-{index}" for way in ("up", "down", "remove") for index in range(3)]
    buttons = {button.split('"')[0]: button.split(">")[0] for button in rows.split('name="edit" value="')[1:]}
    assert [name for name in disabled if buttons[name].endswith(" disabled")] == ["up-0", "down-2"]


def test_an_empty_prompt_is_refused_at_its_field(client_as: SignedIn, project: Project) -> None:
    empty = make_prompt(project, "Empty")
    post = form(("system", ""), ("user", " "))
    answer = client_as(Role.EDITOR).post(url(project, "empty/save/"), post)
    assert answer.status_code == 400
    assert answer.context["editor"].rows[0].errors == ["Write something first."]
    assert not empty.versions.exists()


def test_saving_the_same_again_says_so(client_as: SignedIn, project: Project, prompt: Prompt) -> None:
    same = form(("user", "Correct: {{ sentence }}"), parent="1", temperature="0.5", stop="END")
    answer = client_as(Role.EDITOR).post(url(project, "fix/save/"), same)
    assert answer.status_code == 409
    assert "same as version 1" in answer.content.decode()


def test_the_preview_asks_for_values_then_shows_the_messages(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    client = client_as(Role.VIEWER)

    def preview(*messages: tuple[str, str], **values: str) -> str:
        fields = {f"inputs-{name}": value for name, value in values.items()}
        answer = client.post(
            url(project, "fix/preview/"), form(*messages, **fields), headers={"HX-Request": "true"}
        )
        assert answer.status_code == 200
        return answer.content.decode()

    asked = preview(("user", "Hi {{ name }}"))
    assert 'name="inputs-name"' in asked
    assert "Give a value for name" in asked
    shown = preview(("user", "Hi {{ name }}<b>"), name="{{ 7*7 }}<script>")
    assert "Hi {{ 7*7 }}&lt;script&gt;&lt;b&gt;" in shown
    listed = preview(("user", "{% for x in xs %}{{ x }};{% endfor %}"), xs='["a", "b"]')
    assert "a;b;" in listed
    broken = preview(("system", "{{ kept }}"), ("user", "a\n{{ b"), kept="typed value")
    assert "Message 2, line 2" in broken
    assert "typed value" in broken
    for text in ("{{ gone", "no variables now"):
        assert "typed value" in preview(("user", text), gone="typed value")
    failed = preview(("user", "{{ n.x }}"), n='{"y": 1}')
    assert "Message 1, line 1: there is no “x” in this object" in failed


def test_viewers_read_and_editors_edit(client_as: SignedIn, project: Project, prompt: Prompt) -> None:
    read = client_as(Role.VIEWER).get(url(project, "fix/")).content.decode()
    assert "Correct: {{ sentence }}" in read
    assert "<textarea" not in read
    assert "Save version" not in read
    edit = client_as(Role.EDITOR).get(url(project, "fix/")).content.decode()
    assert "Save version" in edit
    assert "?prompt=fix&amp;version=1" in edit


def test_an_older_version_can_be_edited_on(client_as: SignedIn, project: Project, prompt: Prompt) -> None:
    make_version(prompt, "Newer")
    page = client_as(Role.EDITOR).get(url(project, "fix/?version=1")).content.decode()
    assert "Correct: {{ sentence }}</textarea>" in page
    assert 'name="parent" value="2"' in page
    assert "You edit on from version 1" in page


def test_the_diff_is_readable(client_as: SignedIn, project: Project, prompt: Prompt) -> None:
    make_version(
        prompt,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Correct this: {{ text }}"},
        ],
        parameters={"temperature": 0.9, "seed": 3},
    )
    viewer = client_as(Role.VIEWER)
    page = viewer.get(url(project, "fix/diff/?old=1&new=2")).content.decode()
    assert "<ins>Be brief.</ins>" in page or "<del>Correct: {{ sentence }}</del>" in page
    assert "<del>0.5</del> → <ins>0.9</ins>" in page
    assert "<del>sentence</del>" in page
    assert "<ins>text</ins>" in page
    assert viewer.get(url(project, "fix/diff/")).status_code == 200
    assert "Choose two versions" in viewer.get(url(project, "fix/diff/?old=1&new=99")).content.decode()
    make_prompt(project, "Fresh")
    assert "Nothing to compare yet" in viewer.get(url(project, "fresh/diff/")).content.decode()


def test_labels_are_moved_on_their_page(client_as: SignedIn, project: Project, prompt: Prompt) -> None:
    make_version(prompt)
    editor = client_as(Role.EDITOR)
    move = {"label": "staging", "version": "2", "reason": "scores better"}
    page = editor.post(url(project, "fix/labels/set/"), move, follow=True).content.decode()
    assert "scores better" in page
    bad = editor.post(url(project, "fix/labels/set/"), move | {"label": "Not A Label"})
    assert bad.status_code == 400
    assert "Not A Label" in bad.content.decode()
    label_protect(project=project, by=SYSTEM, name="staging")
    refused = editor.post(url(project, "fix/labels/set/"), move | {"version": "1"})
    assert refused.status_code == 403
    assert "scores better" in refused.content.decode()
    assert "only an approver" in refused.content.decode()
    assert client_as(Role.APPROVER).post(url(project, "fix/labels/staging/remove/")).status_code == 302
    drawer = editor.get(
        url(project, "fix/labels/?version=2"), headers={"HX-Request": "true"}
    ).content.decode()
    assert "<html" not in drawer
    assert 'value="2" selected' in drawer


def test_an_admin_chooses_the_protected_labels(client_as: SignedIn, project: Project) -> None:
    admin = client_as(Role.ADMIN)
    admin.post(url(project, "-/protected-labels/protect/"), {"label": "production"})
    assert ProtectedLabel.objects.get(project=project).name == "production"
    assert "production" in client_as(Role.VIEWER).get(url(project, "-/protected-labels/")).content.decode()
    assert admin.post(url(project, "-/protected-labels/protect/"), {"label": "latest"}).status_code == 400
    admin.post(url(project, "-/protected-labels/production/unprotect/"))
    assert not ProtectedLabel.objects.exists()


def test_the_protected_labels_are_found_where_labels_and_settings_are(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    link = f'href="{url(project, "-/protected-labels/")}"'
    assert link in client_as(Role.VIEWER).get(url(project, f"{prompt.slug}/labels/")).content.decode()
    settings = reverse("core:project-settings", args=[project.slug])
    assert link in client_as(Role.ADMIN).get(settings).content.decode()


def test_lists_search_sort_and_say_what_to_do_when_empty(client_as: SignedIn, project: Project) -> None:
    client = client_as(Role.EDITOR)
    assert "No prompts yet" in client.get(url(project)).content.decode()
    make_version(make_prompt(project, "Beta", folder="x"), "needle")
    make_prompt(project, "Alpha")
    page = client.get(url(project, "?sort=name")).content.decode()
    assert page.index(">Alpha<") < page.index(">Beta<")
    assert ">Alpha<" not in client.get(url(project, "?q=needle")).content.decode()
    assert ">Alpha<" not in client.get(url(project, "?folder=x")).content.decode()
    assert "No prompt found" in client.get(url(project, "?q=nothing+like+it")).content.decode()
    assert "Nothing is archived" in client.get(url(project, "?show=archived")).content.decode()
    assert client.get(url(project, "?size=1&sort=-name")).content.decode().count("<tr>") == 2


def test_pages_take_as_many_queries_for_many_as_for_few(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    client = client_as(Role.EDITOR)

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(url(project, path)).status_code == 200
        return len(captured)

    paths = ("", "fix/", "fix/versions/", "fix/versions/1/", "fix/labels/", "fix/diff/?old=1&new=1")
    make_version(prompt)
    few = {path: queries(path) for path in paths}
    for number in range(6):
        version = make_version(prompt)
        label_set(prompt=prompt, by=SYSTEM, name=f"label-{number}", version=version)
        other = make_prompt(project)
        label_set(prompt=other, by=SYSTEM, name="staging", version=make_version(other))
    assert {path: queries(path) for path in paths} == few
    assert max(few.values()) <= 14
