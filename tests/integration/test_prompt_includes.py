"""Prompts that include prompts, on the real database: what a version keeps, and what is refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts import label_services, services
from apps.prompts.errors import InvalidContent, NothingChanged
from apps.prompts.exporting import version_export
from apps.prompts.included_versions import included_by
from apps.prompts.including import KeptInclude, includes_resolve, kept_includes
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.preview import version_render
from tests.factories.core import make_project
from tests.factories.prompts import SYSTEM, make_prompt, make_version

pytestmark = pytest.mark.django_db


def include(reference: str) -> str:
    return f"{{% include '{reference}' %}}"


def label(version: PromptVersion, name: str = "production") -> None:
    label_services.label_set(prompt=version.prompt, by=SYSTEM, name=name, version=version)


def text_of(version: PromptVersion, **inputs: Any) -> str:
    version.refresh_from_db()
    return str(version_render(version=version, inputs=inputs)[0]["content"])


@pytest.fixture
def tone(project: Project) -> Prompt:
    prompt = make_prompt(project, "Tone")
    label(make_version(prompt, "Be kind to {{ name }}."))
    return prompt


@pytest.fixture
def letter(project: Project) -> Prompt:
    return make_prompt(project, "Letter")


def test_a_version_keeps_what_its_includes_came_to(tone: Prompt, letter: Prompt) -> None:
    versions = [
        make_version(letter, f"{n}: " + include(f"tone{which}"))
        for n, which in enumerate(("@production", "@1", "", "@latest"))
    ]
    newer = make_version(tone, "Be brief.")
    label(newer)
    first = tone.versions.get(number=1)
    for number, version in enumerate(versions):
        assert text_of(version, name="Ann") == f"{number}: Be kind to Ann."
        assert version.variables == ["name"]
        (kept,) = version.includes.values()
        assert kept == {
            "prompt": "tone",
            "version": 1,
            "version_id": str(first.pk),
            "text": "Be kind to {{ name }}.",
            "includes": {},
        }
    assert text_of(make_version(letter, "4: " + include("tone@production"))) == "4: Be brief."


def test_the_same_text_is_a_new_version_when_its_includes_come_to_another(
    tone: Prompt, letter: Prompt
) -> None:
    text = include("tone@production")
    first = make_version(letter, text)
    with pytest.raises(NothingChanged):
        make_version(letter, text)
    label(make_version(tone, "Be brief."))
    second = make_version(letter, text)
    assert (second.number, text_of(first, name="Ann"), text_of(second)) == (2, "Be kind to Ann.", "Be brief.")


def test_all_texts_of_the_included_version_come_with_an_empty_line_between(
    tone: Prompt, letter: Prompt
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "One."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "user", "content": "Two {{ x }}."},
    ]
    make_version(tone, messages=messages)
    assert text_of(make_version(letter, include("tone")), x=2) == "One.\n\nTwo 2."


def test_an_included_version_is_the_same_wherever_it_is_included(
    project: Project, tone: Prompt, letter: Prompt
) -> None:
    middle = make_prompt(project, "Middle")
    make_version(middle, "[" + include("tone@production") + "]")
    label(make_version(tone, "Be brief."))
    version = make_version(letter, include("middle") + include("tone@production"))
    assert text_of(version, name="Ann") == "[Be kind to Ann.]Be brief."
    assert set(version.includes) == {"middle", "tone@production", "tone@1"}
    assert kept_includes(project=project, version=version) == [
        KeptInclude("middle", "middle", 1),
        KeptInclude("tone@production", "tone", 2),
        KeptInclude("tone@production", "tone", 1, None, "middle"),
    ]


def test_a_version_tells_where_its_labels_point_now(project: Project, tone: Prompt, letter: Prompt) -> None:
    version = make_version(letter, include("tone@production") + include("tone@1") + include("tone"))
    label(make_version(tone, "Be brief."))
    assert kept_includes(project=project, version=version) == [
        KeptInclude("tone@production", "tone", 1, 2),
        KeptInclude("tone@1", "tone", 1),
        KeptInclude("tone", "tone", 1, 2),
    ]
    label_services.label_remove(prompt=tone, by=SYSTEM, name="production")
    services.prompt_archive(prompt=tone, by=SYSTEM)
    assert [kept.moved_to for kept in kept_includes(project=project, version=version)] == [None] * 3


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("nobody", "there is no prompt “nobody” in this project"),
        ("nobody@production", "there is no prompt “nobody” in this project"),
        ("tone@staging", "“tone” has no label “staging”"),
        ("tone@9", "“tone” has no version 9"),
        ("empty", "“empty” has no version yet"),
        ("letter", "a prompt cannot include itself (letter → letter)"),
        ("letter@7", "a prompt cannot include itself (letter → letter)"),
        ("away", "the prompt “away” is archived"),
        ("talk", "“talk” version 1 cannot be included: it has a placeholder for messages (“history”)"),
        ("silent", "“silent” version 1 cannot be included: none of its messages has a text"),
        ("theirs", "there is no prompt “theirs” in this project"),
    ],
)
def test_what_cannot_be_included_is_told_with_its_place(
    reference: str, words: str, project: Project, other_project: Project, tone: Prompt, letter: Prompt
) -> None:
    make_prompt(project, "Empty")
    make_version(make_prompt(other_project, "Theirs"))
    away = make_prompt(project, "Away")
    make_version(away)
    services.prompt_archive(prompt=away, by=SYSTEM)
    history = {"role": "placeholder", "name": "history"}
    make_version(make_prompt(project, "Talk"), messages=[{"role": "user", "content": "x"}, history])
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    silent = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    make_version(make_prompt(project, "Silent"), messages=silent)
    messages = [
        {"role": "system", "content": include("tone")},
        {"role": "user", "content": f"a\n  {include(reference)}"},
    ]
    with pytest.raises(InvalidContent) as caught:
        make_version(letter, messages=messages)
    (sentence,) = caught.value.fields["messages[1].content"]
    assert sentence.startswith("Message 2, line 2: ")
    assert words in sentence
    (place,) = caught.value.extra["places"]
    assert (place["message_index"], place["line"], place["column"]) == (1, 2, 14)
    assert not letter.versions.exists()


def test_prompts_that_include_each_other_are_refused_with_the_whole_way(project: Project) -> None:
    a, b, c = (make_prompt(project, name) for name in ("A", "B", "C"))
    make_version(a, "a")
    make_version(b, include("a"))
    make_version(c, "c\n" + include("b@1"))
    with pytest.raises(InvalidContent, match="a → c → b → a"):
        make_version(a, include("c"))
    with pytest.raises(InvalidContent, match="a → b → a"):
        make_version(a, include("b"))
    assert includes_resolve(project=project, messages=[{"role": "user", "content": include("c")}])


def test_includes_in_includes_end_at_a_depth(project: Project) -> None:
    make_version(make_prompt(project, "P0"), "x")
    for level in range(1, 11):
        version = make_version(make_prompt(project, f"P{level}"), include(f"p{level - 1}"))
    assert text_of(version) == "x"
    with pytest.raises(InvalidContent, match="more than 10 levels deep: p10 → p9 → "):
        make_version(make_prompt(project, "P11"), include("p10"))


def test_included_texts_are_limited_together(project: Project, letter: Prompt) -> None:
    for number in range(3):
        make_version(make_prompt(project, f"Big{number}"), "x" * 399_000)
    make_version(letter, include("big0") + include("big1"))
    with pytest.raises(InvalidContent, match="at most 1,000,000 characters"):
        make_version(letter, include("big0") + include("big1") + include("big2"))


def test_a_rename_breaks_no_include_and_an_archived_prompt_goes_on_in_saved_versions(
    tone: Prompt, letter: Prompt
) -> None:
    version = make_version(letter, include("tone@production"))
    services.prompt_rename(prompt=tone, by=SYSTEM, name="Manner")
    assert text_of(make_version(letter, "x" + include("tone@production")), name="Ann") == "xBe kind to Ann."
    services.prompt_archive(prompt=tone, by=SYSTEM)
    assert text_of(version, name="Ann") == "Be kind to Ann."
    with pytest.raises(InvalidContent, match="archived"):
        make_version(letter, "y" + include("tone@production"))


def test_resolving_takes_few_queries_however_many_includes_there_are(
    project: Project, django_assert_max_num_queries: Any
) -> None:
    make_version(make_prompt(project, "Base"), "base")
    for number in range(12):
        label(make_version(make_prompt(project, f"P{number}"), f"{number}" + include("base")))
    text = "".join(include(f"p{n}@{'production' if n % 2 else 1}") for n in range(12)) + include("base")
    with django_assert_max_num_queries(4):
        found = includes_resolve(project=project, messages=[{"role": "user", "content": text}])
    assert len(found) == 14


def test_who_includes_a_prompt_is_known(project: Project, tone: Prompt, letter: Prompt) -> None:
    through = make_prompt(project, "Through")
    former, labelled = make_prompt(project, "Former"), make_prompt(project, "Labelled")
    make_version(letter, include("tone"))
    make_version(through, include("letter"))
    make_version(former, include("tone"))
    make_version(former, "no more")
    label(make_version(labelled, include("tone@1")))
    make_version(labelled, "no more")
    assert [prompt.slug for prompt in included_by(prompt=tone)] == ["labelled", "letter", "through"]
    services.prompt_archive(prompt=letter, by=SYSTEM)
    assert [prompt.slug for prompt in included_by(prompt=tone)] == ["labelled", "through"]
    assert not included_by(prompt=through).exists()


def test_pages_show_what_includes_resolved_to_and_who_includes_a_prompt(
    project: Project, tone: Prompt, letter: Prompt, client_as: Any, django_assert_max_num_queries: Any
) -> None:
    text = include("tone@production")
    make_version(letter, text)
    label(make_version(tone, "Be brief."))
    client, at = client_as(Role.EDITOR), f"/p/{project.slug}/prompts"
    page = client.get(f"{at}/letter/versions/1/").content.decode()
    assert f'<a href="{at}/tone/versions/1/">tone, version 1</a>' in page
    assert "version 2</a> now; this version keeps 1" in page
    make_version(letter, text)
    page = client.get(f"{at}/letter/diff/?old=1&new=2").content.decode()
    assert "<del>version 1</del> → <ins>version 2</ins>" in page
    settings = client.get(f"{at}/tone/settings/").content.decode()
    assert "1 prompt includes it" in settings
    assert f'<a href="{at}/letter/">Letter</a>' in settings
    assert "includes it" not in client.get(f"{at}/letter/settings/").content.decode()


def test_rest_tells_and_keeps_includes(
    project: Project, tone: Prompt, letter: Prompt, api_client: Any
) -> None:
    make_version(letter, include("tone@production"))
    client, at = api_client(Role.EDITOR), "/api/v1/prompts/letter"
    label(make_version(tone, "Be brief."))
    kept = client.get(f"{at}/versions/1/").json()["includes"]["tone@production"]
    assert (kept["prompt"], kept["version"], kept["text"]) == ("tone", 1, "Be kind to {{ name }}.")
    rendered = client.post(f"{at}/render/", {"inputs": {"name": "Ann"}}, format="json").json()
    assert rendered["messages"] == [{"role": "user", "content": "Be kind to Ann."}]
    body = {"messages": [{"role": "user", "content": include("nobody")}]}
    refused = client.post(f"{at}/versions/", body, format="json")
    assert refused.status_code == 400
    problem = refused.json()
    assert problem["places"] == [
        {
            "place": "messages[0].content",
            "message_index": 0,
            "line": 1,
            "column": 12,
            "reason": "there is no prompt “nobody” in this project",
        }
    ]


def test_a_label_that_moves_while_a_version_is_saved_is_one_version_or_the_other(
    transactional_db: None,
) -> None:
    project = make_project()
    tone, letter = make_prompt(project, "Tone"), make_prompt(project, "Letter")
    versions = [make_version(tone, "A"), make_version(tone, "B")]
    label(versions[0])
    barrier = Barrier(2)

    def move() -> None:
        try:
            barrier.wait(timeout=20)
            for turn in range(30):
                label(versions[(turn + 1) % 2])
        finally:
            connection.close()

    def save() -> list[PromptVersion]:
        try:
            barrier.wait(timeout=20)
            return [make_version(letter, f"{n}" + include("tone@production")) for n in range(15)]
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        moving, saving = pool.submit(move), pool.submit(save)
        moving.result()
        saved = saving.result()
    for number, version in enumerate(saved):
        kept = version.includes["tone@production"]
        assert kept["text"] == ("A" if kept["version"] == 1 else "B")
        assert text_of(version) == f"{number}{kept['text']}"


def test_two_prompts_that_include_each_other_at_once_end_all_the_same(transactional_db: None) -> None:
    """Neither saver sees the other's version: both are saved, each with the older text of the other."""
    project = make_project()
    prompts = [make_prompt(project, name) for name in ("A", "B")]
    for prompt in prompts:
        make_version(prompt, prompt.slug)
    barrier = Barrier(2)

    def save(number: int) -> PromptVersion | InvalidContent:
        try:
            barrier.wait(timeout=20)
            return make_version(prompts[number], f"{number}" + include(prompts[1 - number].slug))
        except InvalidContent as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(save, range(2)))
    saved = [each for each in results if isinstance(each, PromptVersion)]
    assert saved
    for version in saved:
        assert text_of(version) == {"a": "0b", "b": "1a"}[version.prompt.slug]
    with pytest.raises(InvalidContent, match="in a circle"):
        make_version(prompts[0], "again" + include("b"))
        make_version(prompts[1], "again" + include("a"))


def test_an_export_writes_out_what_included_versions_keep(
    project: Project, tone: Prompt, letter: Prompt
) -> None:
    make_version(make_prompt(project, "Middle"), "[" + include("tone@production") + "]")
    label(make_version(tone, "Be brief."))
    version = make_version(letter, include("middle") + include("tone@production"))
    exported = version_export(version=version, format="openai").text
    assert "[Be kind to" in exported
    assert "]Be brief." in exported


def test_a_prompt_of_tags_alone_is_refused_before_it_is_compiled(letter: Prompt) -> None:
    messages = [{"role": "user", "content": "{{ a }}" * 4_900}] * 5
    begun = time.thread_time()
    with pytest.raises(InvalidContent, match="at most 20,000 tags, not 24,500"):
        make_version(letter, messages=messages)
    assert time.thread_time() - begun < 1
