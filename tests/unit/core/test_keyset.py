"""Keyset pages: every row once, forwards and back, whatever the query string says."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import QuerySet
from django.test import RequestFactory

from apps.core.models import ApiKey, Project
from apps.core.pages import Page, keyset, sort_field
from tests.factories.core import make_project

pytestmark = pytest.mark.django_db
ORDERS = ("-id", "id", "name", "-name", "role", "-role", "created_at", "-created_at")


@pytest.fixture
def keys(project: Project) -> QuerySet[ApiKey]:
    """23 rows with many ties in name, role and time."""
    chance = random.Random(7)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    ApiKey.objects.bulk_create(
        ApiKey(
            project=project,
            name=chance.choice(["a", "B", "ä", "%", "", "z" * 100]),
            role=chance.randint(1, 5),
            prefix="p",
            key_hash=str(number),
            created_at=begin + timedelta(microseconds=chance.randint(0, 5)),
        )
        for number in range(23)
    )
    return ApiKey.objects.filter(project=project)


def get(rows: QuerySet[ApiKey], query: str, order: str, size: int) -> Page:
    return keyset(rows, RequestFactory().get("/x/" + query), order=order, size=size)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 5, 22, 23, 24])
def test_walking_forward_and_back_meets_every_row_once(keys: QuerySet[ApiKey], order: str, size: int) -> None:
    down = order.startswith("-")
    tie = [] if order.lstrip("-") == "id" else ["-pk" if down else "pk"]
    expected = list(keys.order_by(order, *tie).values_list("pk", flat=True))
    page, forward = get(keys, "", order, size), []
    assert page.previous_url is None
    while True:
        forward.append([row.pk for row in page.rows])
        if page.next_url is None:
            break
        page = get(keys, page.next_url, order, size)
    assert [pk for rows in forward for pk in rows] == expected
    backward = [[row.pk for row in page.rows]]
    while page.previous_url is not None:
        page = get(keys, page.previous_url, order, size)
        backward.append([row.pk for row in page.rows])
    assert backward[::-1] == forward


def test_a_page_keeps_the_rest_of_the_query(keys: QuerySet[ApiKey]) -> None:
    page = get(keys, "?q=a+b&size=2&after=", "-id", 50)
    assert page.next_url is not None
    assert "q=a+b" in page.next_url
    assert page.next_url.count("after=") == 1


def test_rows_made_meanwhile_do_not_shift_the_next_page(keys: QuerySet[ApiKey], project: Project) -> None:
    first = get(keys, "", "-id", 10)
    ApiKey.objects.create(project=project, name="new", role=1, prefix="p", key_hash="new")
    second = get(keys, first.next_url or "", "-id", 10)
    assert not {row.pk for row in first.rows} & {row.pk for row in second.rows}


def forged(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "é",
        "A" * 2000,
        forged([]),
        forged([1, 2]),
        forged([None, None]),
        forged([{}, []]),
        forged(["a\x00", "b"]),
        forged([1e400, "x"]),
        forged([10**30, "00000000-0000-0000-0000-000000000000"]),
        forged([True, "00000000-0000-0000-0000-000000000000"]),
        forged(["\ud800", "00000000-0000-0000-0000-000000000000"]),
        forged(["9999999-99-99", "00000000-0000-0000-0000-000000000000"]),
        forged(["2026-01-01T00:00:00Z", "00000000-0000-0000-0000-000000000000"]),
        forged("[" * 900),
    ],
)
@pytest.mark.parametrize("direction", ["after", "before"])
def test_a_forged_cursor_is_harmless(
    keys: QuerySet[ApiKey], order: str, cursor: str, direction: str, project: Project
) -> None:
    make_project()
    request = RequestFactory().get("/x/", {direction: cursor})
    page = keyset(keys, request, order=order, size=5)
    assert all(row.project_id == project.pk for row in page.rows)


@pytest.mark.parametrize(
    ("size", "rows"), [("3", 3), ("0", 1), ("9999", 23), ("-1", 5), ("x", 5), ("²", 5), ("9" * 5000, 5)]
)
def test_the_size_of_a_page_has_bounds(keys: QuerySet[ApiKey], size: str, rows: int) -> None:
    page = keyset(keys, RequestFactory().get("/x/", {"size": size}), size=5)
    assert len(page.rows) == rows


@pytest.mark.parametrize(
    ("asked", "order"),
    [("", "-created_at"), ("name", "name"), ("-name", "-name"), ("password", "-created_at")],
)
def test_a_table_is_sorted_by_columns_that_are_meant_for_it(asked: str, order: str) -> None:
    request = RequestFactory().get("/x/", {"sort": asked} if asked else {})
    assert sort_field(request, {"name": "name", "made": "created_at"}, "-made") == order
