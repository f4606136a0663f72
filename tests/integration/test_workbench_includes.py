"""Prompts that include prompts, where they are run and judged: a saved text runs as it was saved."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.models import Project
from apps.evaluations.engine.requests import RequestBuilder
from apps.evaluations.engine.work import WorkItem
from apps.evaluations.models import EvalRun
from apps.evaluations.run_plan import check_variables
from apps.prompts.label_services import label_set
from apps.prompts.models import PromptVersion
from apps.prompts.typed import typed_of
from apps.providers.models import Model, Provider
from apps.workbench.calls.columns import columns_read
from apps.workbench.calls.errors import InvalidRun
from tests.factories.driven_runs import make_dataset
from tests.factories.prompts import SYSTEM, make_prompt, make_version

pytestmark = pytest.mark.django_db
TEXT = "{% include 'tone@production' %}"


@pytest.fixture
def tone(project: Project) -> PromptVersion:
    version = make_version(make_prompt(project, "Tone"), "Be kind to {{ name }}.")
    label_set(prompt=version.prompt, by=SYSTEM, name="production", version=version)
    return version


@pytest.fixture
def letter(project: Project, fake: Provider, tone: PromptVersion) -> PromptVersion:
    return make_version(make_prompt(project, "Letter"), TEXT, parameters={"model": "fake/upper"})


def column(version: PromptVersion, **changes: Any) -> dict[str, Any]:
    return {"id": "a", "base": version.number, "typed": typed_of(version) | changes}


def test_a_saved_text_runs_as_it_was_saved_and_a_draft_with_what_its_includes_come_to_now(
    letter: PromptVersion, tone: PromptVersion
) -> None:
    label_set(
        prompt=tone.prompt, by=SYSTEM, name="production", version=make_version(tone.prompt, "Be brief.")
    )
    draft = column(letter, messages=[{"role": "user", "content": TEXT + "!"}])
    saved, typed = columns_read(prompt=letter.prompt, columns=[column(letter), draft], values={"name": "Ann"})
    assert (saved.version, saved.messages[0]["content"]) == (letter, "Be kind to Ann.")
    assert saved.includes["tone@production"]["version"] == 1
    assert (typed.version, typed.messages[0]["content"]) == (None, "Be brief.!")
    assert (typed.inputs, typed.includes["tone@production"]["version"]) == ({}, 2)


def test_an_include_that_is_not_there_keeps_a_draft_from_being_run(letter: PromptVersion) -> None:
    draft = column(letter, messages=[{"role": "user", "content": "x\n{% include 'nobody' %}"}])
    with pytest.raises(InvalidRun) as caught:
        columns_read(prompt=letter.prompt, columns=[draft], values={})
    (sentence,) = caught.value.fields["columns[0].messages[0].content"]
    assert sentence == "Message 1, line 2: there is no prompt “nobody” in this project."


def test_a_run_asks_the_dataset_for_what_included_prompts_need(
    letter: PromptVersion, project: Project
) -> None:
    words = make_dataset(project, ["a,A,1"])
    with pytest.raises(Exception, match="The prompt uses name, which the dataset"):
        check_variables(letter, words)


def test_a_run_sends_the_included_texts_that_the_version_keeps(
    letter: PromptVersion, tone: PromptVersion, fake: Provider
) -> None:
    label_set(
        prompt=tone.prompt, by=SYSTEM, name="production", version=make_version(tone.prompt, "Be brief.")
    )
    run = EvalRun(prompt_version=letter, model=Model(provider=fake, name="upper"), parameters={})
    item = WorkItem(letter.pk, "1", 1, 0, {"name": "Ann"}, None, {})
    assert [message.content for message in RequestBuilder(run).build(item).messages] == ["Be kind to Ann."]
