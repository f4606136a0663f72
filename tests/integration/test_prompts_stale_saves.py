"""Saving a prompt of which a newer version was saved meanwhile: both are shown, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from apps.core.models import Project
from apps.core.roles import Role
from apps.prompts.models import Prompt
from tests.factories.prompts import make_prompt, make_version
from tests.integration.test_prompts_pages import form, url

SignedIn = Callable[[Role], Client]


@pytest.fixture
def prompt(project: Project) -> Prompt:
    prompt = make_prompt(project, "Fix")
    make_version(prompt, "Correct: {{ sentence }}", parameters={"temperature": 0.5, "stop": ["END"]})
    return prompt


def test_a_save_after_somebody_elses_shows_both_and_can_be_put_on_top(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    make_version(prompt, "Correct politely: {{ sentence }}", commit_message="be polite")
    mine = form(("user", "Correct tersely: {{ sentence }}"), parent="1", commit_message="be terse")
    client = client_as(Role.EDITOR)
    answer = client.post(url(project, "fix/save/"), mine)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "saved version 2 while you were editing" in page
    assert "<del>politely</del><ins>tersely</ins>" in page
    assert "be polite" in page
    assert "Correct tersely: {{ sentence }}</textarea>" in page
    assert 'name="parent" value="2"' in page
    assert prompt.versions.count() == 2
    client.post(url(project, "fix/save/"), mine | {"parent": "2"})
    assert prompt.versions.get(number=3).messages[0]["content"] == "Correct tersely: {{ sentence }}"


def test_a_newer_version_from_another_tab_is_ones_own(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    client = client_as(Role.EDITOR)
    there = form(("user", "In the other tab"), parent="1", temperature="0.5", stop="END")
    assert client.post(url(project, "fix/save/"), there).status_code == 302
    answer = client.post(url(project, "fix/save/"), form(("user", "Here"), parent="1", temperature="0.5"))
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "You saved version 2 in another tab meanwhile" in page
    assert "while you were editing" not in page


def test_what_was_not_touched_is_not_shown_as_my_change(
    client_as: SignedIn, project: Project, prompt: Prompt
) -> None:
    theirs = {"model": "fake/echo", "temperature": 1, "stop": ["END"]}
    make_version(prompt, "Correct: {{ sentence }}", parameters=theirs)
    mine = form(("user", "Mend: {{ sentence }}"), parent="1", temperature="0.5", stop="END", max_tokens="9")
    client = client_as(Role.EDITOR)
    answer = client.post(url(project, "fix/save/"), mine)
    assert [value.name for value in answer.context["diff"].parameters] == ["max_tokens"]
    page = answer.content.decode()
    assert "What you had not touched is as in version 2 now: model, temperature." in page
    assert 'name="temperature" value="1"' in page
    assert '<option value="fake/echo" selected>' in page
    assert "Mend: {{ sentence }}</textarea>" in page
