"""Judges and webhooks in the browser: what their forms take, keep and hide."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.models import Evaluator
from tests.e2e.conftest import OpenPage, Watch
from tests.e2e.test_accessibility import problems
from tests.factories.core import make_member, make_project, make_user
from tests.integration.judging import make_fake

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def project(transactional_db: None) -> Project:
    return make_project("Judged")


@pytest.fixture
def page(live_server: Any, project: Project, open_page: OpenPage) -> Page:
    user = make_member(project, Role.EDITOR, make_user("editor@example.com"))
    return open_page(live_server.url, user=user)


def test_a_judge_is_made_with_a_model_and_a_prompt_of_the_project(
    page: Page, project: Project, watch: Watch
) -> None:
    watch.expect("400 (Bad Request)")
    make_fake(project)
    page.goto(f"/p/{project.slug}/evaluators/new/?kind=rubric_judge")
    found = problems(page, "judge form")
    assert not found, "\n".join(found)
    page.get_by_label("Model", exact=True).fill("fake/nothing-like-it")
    page.get_by_label("Rubric", exact=True).fill("It is polite.\nIt is short.")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("nothing-like-it").first).to_be_visible()
    expect(page.get_by_label("Rubric", exact=True)).to_have_value("It is polite.\nIt is short.")
    page.get_by_label("Model", exact=True).fill("fake/echo")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Rubric judge", level=1)).to_be_visible()
    config = Evaluator.objects.get(project=project).versions.get().config
    assert (config["prompt"], config["prompt_version"]) == ("judge-rubric", "1")
    page.goto(f"/p/{project.slug}/prompts/")
    expect(page.get_by_role("link", name="Judge: rubric")).to_be_visible()


def test_the_secret_of_a_webhook_is_typed_and_never_shown(page: Page, project: Project) -> None:
    page.goto(f"/p/{project.slug}/evaluators/new/?kind=webhook")
    page.get_by_label("URL", exact=True).fill("https://scores.example.com/one")
    page.get_by_label("Signing secret").fill("a secret of some length")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name="Webhook", level=1)).to_be_visible()
    assert "a secret of some length" not in page.content()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Signing secret")).to_have_value("")
    found = problems(page, "webhook form")
    assert not found, "\n".join(found)
