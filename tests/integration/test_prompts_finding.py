"""Prompts are found again: by folder, tag and the words of any version; moved, copied, renamed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.core.errors import InvalidInput
from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.prompts import selectors
from apps.prompts.copying import prompt_duplicate
from apps.prompts.errors import PromptNameTaken
from apps.prompts.folders import folder_tree
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt
from apps.prompts.search import matches_of
from apps.prompts.services import prompt_archive, prompt_change, prompt_rename, prompt_tag, prompts_move
from apps.prompts.tags import clean_tags
from tests.factories.prompts import SYSTEM, make_prompt, make_version

SignedIn = Callable[[Role], Client]
Keyed = Callable[[Role], APIClient]
API = "/api/v1/prompts/"


def url(project: Project, path: str = "") -> str:
    return f"/p/{project.slug}/prompts/{path}"


def names(project: Project, **query: object) -> list[str]:
    found = selectors.prompt_list(project=project, **query)  # type: ignore[arg-type]
    return [prompt.name for prompt in found.order_by("-relevance" if query.get("search") else "name", "name")]


# --- search ---


@pytest.fixture
def library(project: Project) -> dict[str, Prompt]:
    prompts = {name: make_prompt(project, name) for name in ("Grammar", "Refund", "Summary")}
    make_version(prompts["Grammar"], "Correct the broken sentence. Mind the commas.")
    make_version(prompts["Grammar"], "Correct it: {{ sentence }}", commit_message="Shorter, asked by legal")
    make_version(prompts["Refund"], "Say when a refund arrives. Refund means money back; refund it.")
    make_version(prompts["Summary"], "Sum it up; mention the refund once. " + "Words follow. " * 50)
    return prompts


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("broken commas", ["Grammar"]),  # apart, and in an old version
        ('"broken sentence"', ["Grammar"]),
        ('"sentence broken"', []),
        ("legal", ["Grammar"]),  # a note
        ("refund -money", ["Summary"]),
        ("broken or mention", ["Grammar", "Summary"]),
        ("roke", ["Grammar"]),  # a piece of a word
        ("broken money", []),  # no version has both
        ("SUMM", ["Summary"]),
        ("%", []),
        ("'; drop table x --", []),
        ("\x00", ["Grammar", "Refund", "Summary"]),
        ('"', []),
    ],
)
def test_words_are_looked_up_in_all_versions(
    project: Project, library: dict[str, Prompt], words: str, expected: list[str]
) -> None:
    found = selectors.prompt_list(project=project, search=words)
    assert sorted(prompt.name for prompt in found) == expected


def test_the_best_match_comes_first_and_a_name_before_any_text(
    project: Project, library: dict[str, Prompt]
) -> None:
    make_version(make_prompt(project, "All about refund"), "Nothing of it here.")
    assert names(project, search="refund") == ["Refund", "All about refund", "Summary"]


def test_the_version_that_matched_is_named_with_an_excerpt(
    project: Project, library: dict[str, Prompt]
) -> None:
    match = matches_of(library.values(), words="commas")[library["Grammar"].pk]
    assert match.number == 1
    assert ("commas", True) in match.excerpt
    piece = matches_of(library.values(), words="ENTENC")[library["Grammar"].pk]
    assert (piece.number, ("entenc", True) in piece.excerpt) == (2, True)
    assert matches_of(library.values(), words="zzz") == {}
    assert matches_of([], words="x") == {}


def test_an_excerpt_is_text_and_never_markup(client_as: SignedIn, project: Project) -> None:
    make_version(make_prompt(project, "Odd"), "Say <script>alert(1)</script> \x02needle\x03 <b>loudly</b>")
    client = client_as(Role.VIEWER)
    page = client.get(url(project, "?q=needle")).content.decode()
    assert "<mark>needle</mark>" in page
    assert "<script>alert" not in page
    piece = client.get(url(project, "?q=eedl")).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \x02n<mark>eedl</mark>e\x03 &lt;b&gt;" in piece


def test_another_projects_versions_are_not_searched(
    project: Project, other_project: Project, library: dict[str, Prompt]
) -> None:
    make_version(make_prompt(other_project, "Secret"), "a broken thing")
    assert names(project, search="broken") == ["Grammar"]


def test_a_very_long_prompt_can_be_saved_and_is_found(project: Project) -> None:
    text = " ".join(f"word{number}" for number in range(40_000))
    make_version(make_prompt(project, "Long"), text)
    assert names(project, search="word17 word18") == ["Long"]
    assert names(project, search="word39999") == ["Long"]  # beyond what the index holds


def test_pages_of_a_search_follow_one_another_without_gap(client_as: SignedIn, project: Project) -> None:
    for number in range(7):
        make_version(make_prompt(project, f"Thing {number}"), "needle " * (number + 1))
    client, seen, address = client_as(Role.VIEWER), [], url(project, "?q=needle&size=3")
    while address:
        answer = client.get(address)
        seen += [prompt.name for prompt in answer.context["page"].rows]
        following = answer.context["page"].next_url
        address = url(project, following) if following else ""
    assert len(seen) == len(set(seen)) == 7


def test_the_list_takes_as_many_queries_for_many_as_for_few(client_as: SignedIn, project: Project) -> None:
    client = client_as(Role.EDITOR)

    def queries(query: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert client.get(url(project, query)).status_code == 200
        return len(seen)

    for number in range(2):
        prompt = make_prompt(project, folder="a/b")
        prompt_tag(prompt=prompt, by=SYSTEM, tags=["x"])
        label_set(prompt=prompt, by=SYSTEM, name="live", version=make_version(prompt, f"needle {number}"))
    few = {query: queries(query) for query in ("", "?q=needle", "?folder=a", "?tag=x")}
    for number in range(6):
        prompt = make_prompt(project, folder=f"a/{number}")
        prompt_tag(prompt=prompt, by=SYSTEM, tags=["x", f"y{number}"])
        label_set(
            prompt=prompt, by=SYSTEM, name="live", version=make_version(prompt, f"needle more {number}")
        )
    assert {query: queries(query) for query in few} == few


# --- tags ---


def test_tags_are_put_in_order_and_kept_within_bounds() -> None:
    assert clean_tags(["  a   b ", "A B", "", "c"]) == ["a b", "c"]
    for bad in (["x" * 61], ["a,b"], [str(number) for number in range(21)]):
        with pytest.raises(InvalidInput, match="at most 20 tags"):
            clean_tags(bad)


def test_prompts_are_tagged_in_their_settings_and_found_by_all_of_the_tags(
    client_as: SignedIn, project: Project
) -> None:
    make_prompt(project, "Fix")
    make_prompt(project, "Other")
    editor = client_as(Role.EDITOR)
    form = {"name": "Fix", "folder": "", "tags": "legal, English ,legal"}
    assert editor.post(url(project, "fix/settings/"), form).status_code == 302
    assert Prompt.objects.get(slug="fix").tags == ["legal", "English"]
    assert 'value="legal, English"' in editor.get(url(project, "fix/settings/")).content.decode()
    page = editor.get(url(project, "?tag=legal&tag=English"))
    assert [prompt.slug for prompt in page.context["page"].rows] == ["fix"]
    assert editor.get(url(project, "?tag=legal&tag=none")).context["page"].rows == []
    assert selectors.tag_counts(project=project) == [("English", 1), ("legal", 1)]
    event = AuditEvent.objects.get(action="prompt.tag")
    assert (event.before, event.after) == ({"tags": []}, {"tags": ["legal", "English"]})


def test_tags_over_rest(api_client: Keyed, project: Project) -> None:
    editor = api_client(Role.EDITOR)
    made = editor.post(API, {"name": "Fix", "tags": ["a", "b"]}, format="json")
    assert made.json()["tags"] == ["a", "b"]
    changed = editor.patch(f"{API}fix/", {"tags": ["c"]}, format="json")
    assert changed.json()["tags"] == ["c"]
    assert [p["slug"] for p in editor.get(f"{API}?tag=c").json()["results"]] == ["fix"]
    assert editor.get(f"{API}?tag=a").json()["results"] == []
    for bad in ("x", [1, {}], ["x" * 61], ["a,b"], ["\x00"], [str(n) for n in range(21)]):
        assert editor.patch(f"{API}fix/", {"tags": bad}, format="json").status_code == 400, bad


# --- folders ---


def test_folders_are_a_tree_whose_counts_take_in_what_lies_below() -> None:
    tree = folder_tree([("a", 1), ("a/b", 2), ("a/b/c", 3), ("d/e", 4)], "a/b")
    assert [(one.path, one.count, one.open, one.chosen) for one in tree] == [
        ("a", 6, True, False),
        ("a/b", 5, True, True),
        ("a/b/c", 3, False, False),
        ("d", 4, False, False),
    ]


def test_several_prompts_are_moved_at_once(client_as: SignedIn, project: Project) -> None:
    for name in ("One", "Two", "Three"):
        make_prompt(project, name)
    editor = client_as(Role.EDITOR)
    form = {"prompt": ["one", "two", "nobody"], "folder": " team / a ", "back": "?q=o"}
    answer = editor.post(url(project, "-/move/"), form)
    assert answer.url == url(project, "?q=o")
    assert dict(Prompt.objects.values_list("slug", "folder")) == {
        "one": "team/a",
        "two": "team/a",
        "three": "",
    }
    assert AuditEvent.objects.filter(action="prompt.move").count() == 2
    assert prompts_move(prompts=list(Prompt.objects.all()), by=SYSTEM, folder="team/a") == 1
    for back in ("https://example.org/", "//example.org", "javascript:x"):
        form = {"prompt": ["one"], "folder": "", "back": back}
        assert editor.post(url(project, "-/move/"), form).url == url(project)


def test_nothing_ticked_moves_nothing(client_as: SignedIn, project: Project) -> None:
    answer = client_as(Role.EDITOR).post(url(project, "-/move/"), {"folder": "x"}, follow=True)
    assert "Tick the prompts" in answer.content.decode()


# --- copies and names ---


def test_a_copy_begins_with_the_chosen_version_and_says_where_it_comes_from(
    client_as: SignedIn, project: Project
) -> None:
    prompt = make_prompt(project, "Fix", folder="a")
    prompt_tag(prompt=prompt, by=SYSTEM, tags=["x"])
    first = make_version(prompt, "One: {{ x }}", parameters={"model": "local/tiny"})
    make_version(prompt, "Two: {{ x }}")
    editor = client_as(Role.EDITOR)
    assert 'value="Fix copy"' in editor.get(url(project, "fix/duplicate/?version=1")).content.decode()
    form = {"name": "Mend", "folder": "b", "version": "1"}
    assert editor.post(url(project, "fix/duplicate/"), form).url == url(project, "mend/")
    copy = Prompt.objects.get(slug="mend")
    version = copy.versions.get()
    assert (version.number, version.messages, version.parameters) == (1, first.messages, first.parameters)
    assert version.commit_message == "Copy of version 1 of fix"
    assert (copy.folder, copy.tags) == ("b", ["x"])
    event = AuditEvent.objects.get(action="prompt.duplicate")
    assert event.after == {"from": "fix", "version": 1, "slug": "mend"}
    taken = editor.post(url(project, "fix/duplicate/"), form)
    assert (taken.status_code, "Taken by another prompt" in taken.content.decode()) == (400, True)
    with pytest.raises(PromptNameTaken):
        prompt_duplicate(version=first, by=SYSTEM, name="mend")


def test_a_prompt_without_versions_cannot_be_copied(client_as: SignedIn, project: Project) -> None:
    make_prompt(project, "Empty")
    assert client_as(Role.EDITOR).get(url(project, "empty/duplicate/")).status_code == 404


def test_renaming_breaks_no_link(client_as: SignedIn, api_client: Keyed, project: Project) -> None:
    prompt = make_prompt(project, "Fix")
    version = make_version(prompt, "Correct: {{ x }}")
    label_set(prompt=prompt, by=SYSTEM, name="production", version=version)
    make_version(make_prompt(project, "User"), '{% include "fix@production" %}')
    before = url(project, "fix/")
    editor = client_as(Role.EDITOR)
    editor.post(url(project, "fix/settings/"), {"name": "Mending", "folder": "new/place", "tags": ""})
    page = editor.get(before)
    assert page.status_code == 200
    assert "Mending" in page.content.decode()
    for path in ("versions/1/", "labels/", "settings/", "export/", "use/?version=production"):
        assert editor.get(before + path).status_code == 200, path
    key = api_client(Role.EDITOR)
    assert key.get(f"{API}fix/").json()["name"] == "Mending"
    rendered = key.post(f"{API}fix/render/", {"inputs": {"x": "y"}, "label": "production"}, format="json")
    assert rendered.json()["messages"][0]["content"] == "Correct: y"
    including = key.post(f"{API}user/render/", {"inputs": {"x": "y"}}, format="json")
    assert including.json()["messages"][0]["content"] == "Correct: y"
    # The name that is free again makes a prompt of its own, and takes nothing away.
    assert make_prompt(project, "Fix").slug != "fix"
    prompt_rename(prompt=prompt, by=SYSTEM, name="Again")
    assert key.get(f"{API}fix/").json()["name"] == "Again"


def test_the_archive_is_searched_by_itself(client_as: SignedIn, project: Project) -> None:
    prompt = make_prompt(project, "Gone", folder="old")
    make_version(prompt, "needle")
    prompt_change(prompt=prompt, by=SYSTEM, tags=["x"])
    prompt_archive(prompt=prompt, by=SYSTEM)
    client = client_as(Role.VIEWER)
    assert client.get(url(project, "?q=needle")).context["page"].rows == []
    page = client.get(url(project, "?q=needle&show=archived&folder=old&tag=x"))
    assert [row.slug for row in page.context["page"].rows] == ["gone"]
    assert page.context["tree"][0].count == 1
    assert selectors.folder_counts(project=project) == []
