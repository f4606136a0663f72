"""The code editor on the real pages: whatever it shows, the content security policy refuses none of it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.core.models import Project
from apps.core.roles import Role
from tests.e2e import steps
from tests.e2e.conftest import OpenPage, Watch
from tests.factories.core import make_member, make_project, make_user
from tests.factories.prompts import make_prompt, make_version

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def project(transactional_db: None) -> Project:
    project = make_project("Workshop")
    make_version(make_prompt(project, "Repeat"), "{{ text }}")
    return project


@pytest.fixture
def page(live_server: Any, project: Project, open_page: OpenPage, watch: Watch) -> Page:
    """A page of an editor. `watch` fails the test at each violation of the content security policy."""
    for status in (400, 422):
        watch.expect(f"status of {status}")
    return open_page(live_server.url, user=make_member(project, Role.EDITOR, make_user("e@example.com")))


def test_a_prompt_shown_again_with_its_mistake_can_be_typed_in(project: Project, page: Page) -> None:
    page.goto(f"/p/{project.slug}/prompts/repeat/")
    steps.write_message(page, 1, "Say {{ text")
    steps.save_version(page, "broken")
    dialog = page.get_by_role("dialog", name="Save a version")
    expect(dialog.get_by_role("alert")).to_contain_text("Message 1")
    dialog.get_by_role("button", name="Cancel").click()
    expect(steps.message(page, 1)).to_contain_text("Say {{ text")
    steps.write_message(page, 1, "Say {{ text }}")
    steps.save_version(page, "mended")
    expect(steps.version_saved(page, 2)).to_be_visible()


def test_an_evaluators_schema_shown_again_can_be_typed_in(project: Project, page: Page) -> None:
    page.goto(f"/p/{project.slug}/evaluators/new/?kind=json_schema")
    page.get_by_label("Name", exact=True).fill("Shape")
    steps.write_schema(page, '{"type": "objekt"}')
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".field-error").first).to_be_visible()
    steps.write_schema(page, '{"type": "object"}')
    expect(page.locator(".cm-content").first).to_contain_text('"object"')
