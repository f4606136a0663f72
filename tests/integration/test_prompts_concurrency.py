"""Two people save at once: one wins, the other is shown both, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from apps.prompts.errors import StaleParentError
from apps.prompts.models import PromptVersion
from apps.prompts.services import prompt_create
from tests.factories.core import make_project
from tests.factories.prompts import SYSTEM, make_prompt, make_version

SAVERS = 6


def at_once(work: Callable[[int], Any]) -> list[Any]:
    """The results, or exceptions, of `work(0)` … begun by all threads together."""
    barrier = Barrier(SAVERS)

    def run(number: int) -> Any:
        try:
            barrier.wait(timeout=20)
            return work(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(SAVERS) as pool:
        return list(pool.map(run, range(SAVERS)))


@pytest.mark.django_db(transaction=True)
def test_of_savers_on_the_same_version_one_wins_and_the_others_see_both() -> None:
    prompt = make_prompt(make_project())
    base = make_version(prompt, "Base")
    results = at_once(lambda n: make_version(prompt, f"Text of saver {n}", parent=base))
    won = [r for r in results if isinstance(r, PromptVersion)]
    lost = [r for r in results if isinstance(r, StaleParentError)]
    assert (len(won), len(lost)) == (1, SAVERS - 1)
    assert {error.theirs.pk for error in lost} == {won[0].pk}
    texts = {error.extra["ours"]["messages"][0]["content"] for error in lost} | {
        won[0].messages[0]["content"]
    }
    assert texts == {f"Text of saver {n}" for n in range(SAVERS)}
    assert list(prompt.versions.order_by("number").values_list("number", flat=True)) == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_savers_without_a_parent_get_numbers_without_gaps() -> None:
    prompt = make_prompt(make_project())
    at_once(lambda n: make_version(prompt, f"Text {n}"))
    versions = list(prompt.versions.select_related("parent").order_by("number"))
    assert [version.number for version in versions] == list(range(1, SAVERS + 1))
    assert [v.parent.number if v.parent else None for v in versions] == [None, *range(1, SAVERS)]


@pytest.mark.django_db(transaction=True)
def test_of_those_who_take_a_name_at_once_one_gets_it() -> None:
    project = make_project()
    results = at_once(lambda n: prompt_create(project=project, by=SYSTEM, name="Same name"))
    assert sorted(type(r).__name__ for r in results) == ["Prompt"] + ["PromptNameTaken"] * (SAVERS - 1)


@pytest.mark.django_db(transaction=True)
def test_names_with_one_slug_given_at_once_all_get_slugs_of_their_own() -> None:
    project = make_project()
    results = at_once(lambda n: prompt_create(project=project, by=SYSTEM, name="Same name" + "!" * n))
    assert len({r.slug for r in results}) == SAVERS
