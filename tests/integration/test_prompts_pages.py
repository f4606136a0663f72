"""The pages of prompts: who sees what, and that nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable

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


PAGES = [
    ("get", "", Role.VIEWER),
    ("get", "-/new/", Role.EDITOR),
    ("post", "-/new/", Role.EDITOR),
    ("get", "-/protected-labels/", Role.VIEWER),
    ("post", "-/protected-labels/protect/", Role.ADMIN),
    ("post", "-/protected-labels/production/unprotect/", Role.ADMIN),
    ("get", "fix/", Role.VIEWER),
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


def test_a_new_prompt_opens_in_the_workbench(client_as: SignedIn, project: Project) -> None:
    made = client_as(Role.EDITOR).post(url(project, "-/new/"), {"name": "Grammar", "folder": "a/b"})
    assert made.url == url(project, "grammar/")


def test_viewers_read_and_editors_edit(client_as: SignedIn, project: Project, prompt: Prompt) -> None:
    read = client_as(Role.VIEWER).get(url(project, "fix/")).content.decode()
    assert "Correct: {{ sentence }}" in read
    assert "Save version" not in read
    edit = client_as(Role.EDITOR).get(url(project, "fix/")).content.decode()
    assert "Save version" in edit
    assert "?prompt=fix&amp;version=1" in edit


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


def test_the_workbench_is_found_under_prompts(client_as: SignedIn, project: Project, prompt: Prompt) -> None:
    page = client_as(Role.VIEWER).get(
        reverse("workbench:prompt", kwargs={"project_slug": project.slug, "slug": prompt.slug})
    )
    assert [item.label for item in page.context["shell"].nav if item.active] == ["Prompts"]
