"""Prompts, versions and labels on the real database."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from apps.core.actor import Actor
from apps.core.errors import InvalidInput
from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.prompts import label_services, selectors, services
from apps.prompts.errors import (
    InvalidContent,
    LabelProtected,
    NothingChanged,
    PromptArchived,
    PromptNameTaken,
    PromptNotFound,
    PromptSlugTaken,
    StaleParentError,
    VersionNotFound,
)
from apps.prompts.models import Prompt, PromptLabelMove, PromptVersion
from tests.factories.prompts import make_prompt, make_version

EDITOR = Actor(kind="user", id="1", label="ed@example.com", role=Role.EDITOR)
APPROVER = Actor(kind="user", id="2", label="ap@example.com", role=Role.APPROVER)


def actions(project: Project) -> list[str]:
    return list(AuditEvent.objects.filter(project=project).order_by("id").values_list("action", flat=True))


def test_the_slug_is_made_from_the_name_and_never_changes(project: Project) -> None:
    prompt = make_prompt(project, "Grammar fix", folder=" writing / short /")
    twin = make_prompt(project, "Grammar-Fix")
    services.prompt_rename(prompt=prompt, by=EDITOR, name="Grammar  repair")
    prompt.refresh_from_db()
    assert (prompt.slug, prompt.name, prompt.folder) == ("grammar-fix", "Grammar repair", "writing/short")
    assert twin.slug == "grammar-fix-2"
    assert actions(project)[-1] == "prompt.rename"


def test_a_name_is_given_to_one_prompt_in_use_at_a_time(project: Project, other_project: Project) -> None:
    first, other = make_prompt(project, "Grammar"), make_prompt(project, "Other")
    make_prompt(other_project, "Grammar")
    with pytest.raises(PromptNameTaken):
        make_prompt(project, "grammar")
    with pytest.raises(PromptNameTaken):
        services.prompt_rename(prompt=other, by=EDITOR, name="GRAMMAR")
    services.prompt_rename(prompt=first, by=EDITOR, name="GRAMMAR")
    services.prompt_archive(prompt=first, by=EDITOR)
    assert make_prompt(project, "Grammar").slug == "grammar-2"
    with pytest.raises(PromptNameTaken):
        services.prompt_restore(prompt=first, by=EDITOR)


def test_a_slug_that_is_in_use_is_refused(project: Project, other_project: Project) -> None:
    make_prompt(project, "One", slug="same")
    make_prompt(other_project, "One", slug="same")
    with pytest.raises(PromptSlugTaken):
        make_prompt(project, "Two", slug="same")


@pytest.mark.parametrize("name", ["", "   ", "x" * 121])
def test_a_name_that_cannot_be_is_refused(project: Project, name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        services.prompt_create(project=project, by=EDITOR, name=name)
    assert "name" in caught.value.fields


def test_versions_are_numbered_and_know_parent_author_and_variables(project: Project) -> None:
    prompt = make_prompt(project)
    first = make_version(prompt, "Fix: {{ sentence }}", by=EDITOR, commit_message=" start ")
    second = make_version(prompt, "Fix {{ sentence }} as {{ tone|default('plain') }}")
    assert (first.number, second.number, second.parent) == (1, 2, first)
    assert (first.author_label, first.commit_message) == ("ed@example.com", "start")
    assert second.variables == ["sentence", "tone"]
    assert actions(project).count("prompt_version.create") == 2


def test_content_that_is_the_same_is_not_saved_again(project: Project) -> None:
    prompt = make_prompt(project)
    make_version(prompt, "Same", parameters={"model": "local/tiny", "temperature": 0})
    with pytest.raises(NothingChanged, match="same as version 1"):
        make_version(prompt, "Same", parameters={"model": "local/tiny", "temperature": 0, "seed": None})
    make_version(prompt, "Same", parameters={"model": "local/tiny", "temperature": 0.5})
    make_version(prompt, "Same", parameters={"model": "local/tiny", "temperature": 0})
    assert prompt.versions.count() == 3


def test_bad_content_names_every_place(project: Project) -> None:
    prompt = make_prompt(project)
    with pytest.raises(InvalidContent) as caught:
        services.prompt_version_create(
            prompt=prompt,
            by=EDITOR,
            messages=[{"role": "system", "content": "ok"}, {"role": "user", "content": "{% if %}"}],
            parameters={"temperature": 9, "temprature": 1},
        )
    assert set(caught.value.fields) == {
        "messages[1].content",
        "parameters.temperature",
        "parameters.temprature",
    }
    assert not prompt.versions.exists()


def test_the_database_refuses_to_change_a_version(project: Project) -> None:
    version = make_version(make_prompt(project), "Original")
    for change in ({"commit_message": "rewritten"}, {"messages": []}, {"number": 7}):
        with pytest.raises(IntegrityError, match="never change"), transaction.atomic():
            PromptVersion.objects.filter(pk=version.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE prompts_promptversion SET search_text = 'x'")
    version.refresh_from_db()
    assert version.messages == [{"role": "user", "content": "Original"}]


def test_a_save_on_an_older_version_is_refused_and_carries_both(project: Project) -> None:
    prompt = make_prompt(project)
    first = make_version(prompt, "One")
    second = make_version(prompt, "Two", by=EDITOR, commit_message="mine first")
    with pytest.raises(StaleParentError) as caught:
        make_version(prompt, "Three", parent=first)
    assert (caught.value.ours, caught.value.theirs) == (first, second)
    assert caught.value.extra["theirs"]["messages"] == [{"role": "user", "content": "Two"}]
    assert caught.value.extra["ours"]["messages"] == [{"role": "user", "content": "Three"}]
    with pytest.raises(StaleParentError):
        make_version(prompt, "Three", parent=None)
    assert make_version(prompt, "Three", parent=second).number == 3


def test_an_archived_prompt_takes_no_versions_until_it_is_restored(project: Project) -> None:
    prompt = make_prompt(project)
    services.prompt_archive(prompt=prompt, by=EDITOR)
    assert list(selectors.prompt_list(project=project)) == []
    assert list(selectors.prompt_list(project=project, archived=True)) == [prompt]
    with pytest.raises(PromptArchived):
        make_version(prompt)
    services.prompt_restore(prompt=prompt, by=EDITOR)
    assert make_version(prompt).number == 1


def test_a_label_moves_and_keeps_its_history(project: Project) -> None:
    prompt = make_prompt(project)
    first, second = make_version(prompt), make_version(prompt)
    for version, reason in (
        (first, "begin"),
        (second, "better"),
        (second, "again"),
        (first, "worse after all"),
    ):
        label_services.label_set(prompt=prompt, by=EDITOR, name="staging", version=version, reason=reason)
    label_services.label_remove(prompt=prompt, by=EDITOR, name="staging", reason="done")
    moves = [
        (m.from_version and m.from_version.number, m.to_version and m.to_version.number, m.reason)
        for m in PromptLabelMove.objects.order_by("id")
    ]
    assert moves == [
        (None, 1, "begin"),
        (1, 2, "better"),
        (2, 1, "worse after all"),
        (1, None, "done"),
    ]
    with pytest.raises(IntegrityError), transaction.atomic():
        PromptLabelMove.objects.update(reason="never happened")


@pytest.mark.parametrize("name", ["", "latest", "Production", "a b", "7", "-x", "x" * 61, "é", "a/b"])
def test_a_label_that_cannot_be_is_refused(project: Project, name: str) -> None:
    prompt = make_prompt(project)
    with pytest.raises(InvalidInput):
        label_services.label_set(prompt=prompt, by=EDITOR, name=name, version=make_version(prompt))


def test_a_label_cannot_point_into_another_prompt(project: Project) -> None:
    with pytest.raises(VersionNotFound):
        label_services.label_set(
            prompt=make_prompt(project), by=EDITOR, name="staging", version=make_version(make_prompt(project))
        )


def test_only_an_approver_moves_a_protected_label(project: Project, other_project: Project) -> None:
    prompt = make_prompt(project)
    first, second = make_version(prompt), make_version(prompt)
    label_services.label_set(prompt=prompt, by=EDITOR, name="production", version=first)
    label_services.label_protect(project=project, by=APPROVER, name="production")
    with pytest.raises(LabelProtected):
        label_services.label_set(prompt=prompt, by=EDITOR, name="production", version=second)
    with pytest.raises(LabelProtected):
        label_services.label_remove(prompt=prompt, by=EDITOR, name="production")
    label_services.label_set(prompt=prompt, by=APPROVER, name="production", version=second)
    assert selectors.version_get(prompt=prompt, version="production") == second
    elsewhere = make_prompt(other_project)
    label_services.label_set(prompt=elsewhere, by=EDITOR, name="production", version=make_version(elsewhere))
    label_services.label_unprotect(project=project, by=APPROVER, name="production")
    label_services.label_set(prompt=prompt, by=EDITOR, name="production", version=first)


def test_a_version_is_found_by_number_label_and_latest(project: Project) -> None:
    prompt = make_prompt(project)
    first, second = make_version(prompt), make_version(prompt)
    label_services.label_set(prompt=prompt, by=EDITOR, name="v1.stable", version=first)
    assert selectors.version_get(prompt=prompt, version=1) == first
    assert selectors.version_get(prompt=prompt, version="1") == first
    assert selectors.version_get(prompt=prompt, version="v1.stable") == first
    assert selectors.version_get(prompt=prompt) == second
    for wrong in (3, "0", "9" * 30, "nothing", "²"):
        with pytest.raises(VersionNotFound):
            selectors.version_get(prompt=prompt, version=wrong)


def test_a_label_of_another_prompt_is_not_found(project: Project) -> None:
    mine, other = make_prompt(project), make_prompt(project)
    make_version(mine)
    label_services.label_set(prompt=other, by=EDITOR, name="production", version=make_version(other))
    with pytest.raises(VersionNotFound):
        selectors.version_get(prompt=mine, version="production")


def test_search_finds_names_and_the_text_of_all_versions(project: Project, other_project: Project) -> None:
    grammar = make_prompt(project, "Grammar", folder="writing/short")
    make_version(grammar, "Mend the 100% broken sentence", commit_message="tone down")
    make_version(grammar, "Another text")
    summary = make_prompt(project, "Summary", folder="writing")
    make_version(make_prompt(other_project), "Mend the broken sentence")

    def found(**query: str) -> set[Prompt]:
        return set(selectors.prompt_list(project=project, **query))

    assert found(search="gramm") == {grammar}
    assert found(search="BROKEN sent") == {grammar}
    assert found(search="100%") == {grammar}
    assert found(search="gramm_r") == set()
    assert found(search="tone") == {grammar}
    assert found(folder="writing") == {grammar, summary}
    assert found(folder="writing/short") == {grammar}
    assert selectors.folder_list(project=project) == ["writing", "writing/short"]


def test_another_projects_prompt_is_not_found(project: Project, other_project: Project) -> None:
    with pytest.raises(PromptNotFound):
        selectors.prompt_get(project=project, slug=make_prompt(other_project).slug)
