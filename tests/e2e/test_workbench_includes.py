"""One prompt in another, by hand: found while typing, refused where it is not there, saved, and told when its
label moved."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from apps.core.roles import Role
from apps.prompts.label_services import label_set
from apps.prompts.models import Prompt
from tests.e2e import steps
from tests.e2e.conftest import OpenPage
from tests.factories.core import make_member, make_project
from tests.factories.prompts import SYSTEM, make_prompt, make_version

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def tone(transactional_db: None) -> Prompt:
    tone = make_prompt(make_project("Letters"), "Tone")
    version = make_version(tone, "Be kind to {{ name }}.")
    label_set(prompt=tone, by=SYSTEM, name="production", version=version)
    return tone


def test_a_prompt_includes_another(tone: Prompt, live_server: Any, open_page: OpenPage) -> None:
    letter = make_prompt(tone.project, "Letter")
    make_version(letter, "Write a letter.")
    page = open_page(live_server.url, user=make_member(tone.project, Role.EDITOR))
    page.goto(f"/p/{tone.project.slug}/prompts/letter/")

    steps.write_message(page, 1, 'x {% include "nobody" %}')
    expect(page.locator(".cm-lintRange-error")).to_have_text('"nobody"')
    steps.write_message(page, 1, 'x {% include "tone@production" %}')
    expect(page.locator(".cm-lintRange-error")).to_have_count(0)
    included = page.get_by_role("list", name="Included prompts")
    expect(included).to_have_text("tone@production stands for tone, version 1")
    expect(page.get_by_label("name", exact=True)).to_be_visible()
    steps.save_version(page, "kind")
    expect(steps.version_saved(page, 2)).to_be_visible()

    newer = make_version(tone, "Be brief.")
    label_set(prompt=tone, by=SYSTEM, name="production", version=newer)
    page.reload()
    moved = "tone@production is version 2 now; version 2 keeps 1. Save to take version 2."
    expect(included).to_contain_text(moved)
    steps.save_version(page, "brief")
    expect(steps.version_saved(page, 3)).to_be_visible()
    expect(included).to_have_text("tone@production stands for tone, version 2")
    kept = [
        version.includes["tone@production"]["version"] for version in letter.versions.order_by("number")[1:]
    ]
    assert kept == [1, 2]

    page.goto(f"/p/{tone.project.slug}/prompts/letter/diff/?old=2&new=3")
    expect(page.get_by_text("version 1 → version 2")).to_be_visible()
    page.goto(f"/p/{tone.project.slug}/prompts/tone/settings/")
    expect(page.get_by_role("note")).to_contain_text("1 prompt includes it: Letter.")
