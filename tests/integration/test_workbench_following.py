"""Many pages at once on one web process, each following its own stream."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from apps.core.models import Project
from apps.workbench.calls import following
from apps.workbench.calls.following import BEGINNING, follow
from apps.workbench.calls.stream import Page, publish, valkey
from tests.workbench_steps import open_page


def test_each_of_very_many_pages_is_there_and_hears_its_event() -> None:
    pages = [Page(uuid4(), f"user:{number}", uuid4()) for number in range(130)]
    heard: set[Page] = set()

    async def listen(page: Page) -> None:
        async for part in follow(page, after=BEGINNING, allowed=lambda: True):
            if b"data" in part:
                heard.add(page)

    async def everybody() -> int:
        listening = [asyncio.create_task(listen(page)) for page in pages]
        await asyncio.sleep(2)
        there = await asyncio.to_thread(lambda: valkey().exists(*(page.presence_key for page in pages)))
        await asyncio.to_thread(lambda: [publish(page, {"type": "trial"}) for page in pages])
        await asyncio.sleep(1)
        for each in listening:
            each.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        return int(there)

    try:
        assert asyncio.run(everybody()) == len(pages)
        assert heard == set(pages)
        assert following.followed_by(pages[0].owner) == 0
    finally:
        valkey().delete(*(key for page in pages for key in (page.key, page.presence_key)))


@pytest.mark.django_db
def test_who_follows_too_many_pages_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = open_page(project)
    monkeypatch.setattr(following, "MOST_OF_ONE", 0)
    address = f"/p/{project.slug}/prompts/{person.prompt.slug}/stream/?page={person.page}"
    answer = person.client.get(address, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_pages")
