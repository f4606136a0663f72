"""Comparisons over REST: figures, slices and preferences, as the schema says they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from apps.evaluations.comparing.making import figures_make
from apps.evaluations.comparisons.serializers import (
    ComparisonSerializer,
    PreferencesSerializer,
    SlicesSerializer,
)
from apps.evaluations.models import Comparison, ComparisonFigures
from tests.factories.evaluations import make_comparison
from tests.unit.evaluations.test_comparison_figures import runs_with, votes_for

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that comes as soon as it is asked."""

    def made(row: ComparisonFigures) -> None:
        figures_make(row.comparison_id, row.baseline_id, row.part, row.column)

    monkeypatch.setattr("apps.evaluations.comparisons.figures.enqueue_figures", made)


@pytest.fixture
def comparison(project: Project) -> Comparison:
    first, second, third = runs_with(
        project, [1.0, 0.0] * 15, [1.0, 1.0, None] * 10, [0.0] * 30, name="exact_match"
    )
    votes_for(second, first, ["item"] * 20 + ["other"] * 4 + ["tie"] * 6)
    return make_comparison(project, first, second, third, primary=first.plan["metrics"][0]["name"])


@pytest.fixture
def get(api_client: Callable[[Role], APIClient], comparison: Comparison) -> Callable[..., Any]:
    client = api_client(Role.VIEWER)

    def read(path: str = "", **query: Any) -> Any:
        """The answer when it is ready: the first one may come before the worker is done."""
        for _ in range(2):
            answer = client.get(f"/api/v1/comparisons/{comparison.pk}/{path}", query)
        return answer

    return read


def assert_described(serializer: Any, given: Any) -> None:
    """Every field that the schema names is there, and no other, all the way down."""
    assert set(serializer.fields) == set(given), type(serializer).__name__
    for name, field in serializer.fields.items():
        inner = getattr(field, "child", field)
        if not hasattr(inner, "fields") or given[name] is None:
            continue
        for one in given[name] if isinstance(given[name], list) else [given[name]]:
            assert_described(inner, one)


def test_a_comparison_says_what_it_could_have_seen_and_what_is_missing(
    get: Any, comparison: Comparison
) -> None:
    body = get().json()
    assert_described(ComparisonSerializer(), body)
    assert (body["status"], len(body["candidates"])) == ("ready", 2)
    exact, preference = body["candidates"][0]["metrics"]
    assert (exact["primary"], exact["level"], exact["source"]) == (True, "item", "evaluator")
    assert exact["detectable"] > 0
    assert exact["missing"] == 10
    assert exact["lacking"]["candidate"] == [{"reason": "No answer in time", "count": 10}]
    assert exact["sensitivity"]["difference"] < exact["difference"]
    assert (preference["name"], preference["source"], preference["wins"]) == ("preference", "human", 20)
    assert body["candidates"][0]["unpaired"] == {"changed": 0, "only_baseline": 0, "only_candidate": 0}


def test_any_of_the_runs_can_be_the_baseline(get: Any, comparison: Comparison) -> None:
    first, (second, third) = comparison.baseline_id, comparison.candidate_ids
    body = get(baseline=str(second)).json()
    assert (body["status"], body["baseline"]) == ("ready", str(second))
    assert [candidate["run"] for candidate in body["candidates"]] == [str(first), str(third)]
    straight = get().json()["candidates"][0]["metrics"][0]
    assert body["candidates"][0]["metrics"][0]["difference"] == -straight["difference"]


def test_examples_can_be_taken_in_groups(get: Any) -> None:
    metric = get(group_by="level").json()["candidates"][0]["metrics"][0]
    assert metric["reason"].startswith("The 2 groups of examples changed by the same amount")


def test_slices_are_given_by_column(get: Any) -> None:
    body = get("slices/", column="level").json()
    assert_described(SlicesSerializer(), body)
    assert (body["status"], body["column"]) == ("ready", "level")
    assert [group["value"] for group in body["groups"]] == ["0", "1", "2"]
    groups = body["candidates"][0]["metrics"][0]["groups"]
    assert [group["n"] for group in groups] == [10, 10, 0]
    assert groups[2]["difference"] is None


def test_preferences_are_given_by_source(get: Any, comparison: Comparison) -> None:
    body = get("preferences/").json()
    assert_described(PreferencesSerializer(), body)
    (pair,) = body["pairs"]
    assert (pair["votes"], pair["wins"], pair["ties"], pair["losses"]) == (30, 20, 6, 4)
    assert [one["run"] for one in body["systems"]["human"]] == [
        str(comparison.candidate_ids[0]),
        str(comparison.baseline_id),
    ]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("", {"baseline": "nobody"}, "baseline"),
        ("", {"baseline": str(uuid4())}, "baseline"),
        ("", {"group_by": "colour"}, "group_by"),
        ("slices/", {}, "column"),
        ("slices/", {"column": "colour"}, "column"),
        ("preferences/", {"baseline": "nobody"}, "baseline"),
    ],
)
def test_what_names_nothing_of_it_is_refused(get: Any, path: str, query: dict[str, str], field: str) -> None:
    answer = get(path, **query)
    assert answer.status_code == 400, answer.content
    assert field in answer.json()["errors"]


def test_the_list_finds_a_comparison_by_the_number_that_its_page_shows(
    api_client: Callable[[Role], APIClient], comparison: Comparison
) -> None:
    client, url = api_client(Role.VIEWER), "/api/v1/comparisons/"
    other = make_comparison(comparison.project, comparison.baseline, *comparison.candidates.all())
    assert [one["id"] for one in client.get(url).json()["results"]] == [str(other.pk), str(comparison.pk)]
    for number, found in ((comparison.number, [str(comparison.pk)]), (999, [])):
        answer = client.get(url, {"number": number})
        assert [one["id"] for one in answer.json()["results"]] == found
    for wrong in ("x", "-1", "0", "9" * 12, "٣"):
        assert "number" in client.get(url, {"number": wrong}).json()["errors"]


def test_figures_that_are_made_again_are_pending_not_old(
    api_client: Callable[[Role], APIClient], comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.evaluations.comparisons.figures.enqueue_figures", lambda row: None)
    run = comparison.baseline
    votes_for(run, comparison.candidates.get(pk=comparison.candidate_ids[1]), ["item"])
    body = api_client(Role.VIEWER).get(f"/api/v1/comparisons/{comparison.pk}/").json()
    assert body["status"] == "pending"
    assert body["candidates"][0]["metrics"] == []


def test_another_project_has_none_of_it(
    api_client: Callable[[Role], APIClient], comparison: Comparison
) -> None:
    from tests.factories.core import make_api_key, make_project

    _, key = make_api_key(make_project(), Role.ADMIN)
    stranger = APIClient(HTTP_AUTHORIZATION=f"Bearer {key}")
    for path in ("", "slices/?column=level", "preferences/"):
        assert stranger.get(f"/api/v1/comparisons/{comparison.pk}/{path}").status_code == 404
