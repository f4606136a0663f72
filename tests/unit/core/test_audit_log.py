"""The audit log: append-only in the database, readable, filtered, exported."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, connection, transaction
from django.test import AsyncRequestFactory, Client
from django.urls import reverse
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.audit_log import AuditFilter, Change, action_words, audit_events, changes, changes_text
from apps.core.models import AuditEvent, Project
from apps.core.roles import Role
from apps.core.spreadsheets import defused
from apps.core.streams import download

pytestmark = pytest.mark.django_db
ALICE = Actor(kind="user", id="1", label="alice@example.com", role=Role.EDITOR, address="192.0.2.7")


def note(project: Project, action: str = "thing.change", **change: dict[str, object]) -> AuditEvent:
    return audit(ALICE, action, project, project=project, **change)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core_auditevent SET action = 'nothing.happened'",
        "UPDATE core_auditevent SET before = NULL, after = '{}'",
        "DELETE FROM core_auditevent",
    ],
)
def test_the_database_refuses_to_change_or_delete_an_event(project: Project, statement: str) -> None:
    note(project, after={"a": 1})
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEvent.objects.filter(project=project, action="thing.change").exists()


def test_the_log_outlives_the_project(project: Project) -> None:
    event = note(project)
    project.delete()
    assert AuditEvent.objects.filter(pk=event.pk).exists()


def test_a_change_reads_field_by_field(project: Project) -> None:
    event = note(
        project,
        before={"role": "viewer", "same": 1, "parameters": {"model": "a", "temperature": 0.5}, "gone": True},
        after={
            "role": "editor",
            "same": 1,
            "parameters": {"model": "b", "temperature": 0.5},
            "new": ["x", "y"],
        },
    )
    assert sorted(changes(event), key=lambda change: change.field) == [
        Change("gone", "yes", None),
        Change("new", None, "x, y"),
        Change("parameters › model", "a", "b"),
        Change("role", "viewer", "editor"),
    ]
    assert "role: viewer → editor" in changes_text(event)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("prompt_version.create", "Prompt version: create"),
        ("api_key.revoke", "API key: revoke"),
        ("odd", "Odd"),
    ],
)
def test_an_action_reads_as_words(action: str, words: str) -> None:
    assert action_words(action) == words


def test_events_are_filtered(project: Project) -> None:
    note(project, "thing.make")
    audit(Actor.system(), "thing.break", project, project=project)
    today = timezone.now().date()

    def found(**chosen: object) -> list[str]:
        events = audit_events(project=project, chosen=AuditFilter(**chosen))  # type: ignore[arg-type]
        return sorted(event.action for event in events if event.action.startswith("thing"))

    assert found(action="thing.make") == ["thing.make"]
    assert found(actor="ALICE") == ["thing.make"]
    assert found(target=project.name.upper()) == ["thing.break", "thing.make"]
    assert found(target="nothing") == []
    assert found(since=today, until=today) == ["thing.break", "thing.make"]
    assert found(since=today + timedelta(days=1)) == []
    assert found(until=today - timedelta(days=1)) == []
    assert found(until=date.max) == ["thing.break", "thing.make"]


def test_the_page_shows_this_project_s_events_only(
    client_as: Callable[[Role], Client], project: Project, other_project: Project
) -> None:
    note(project, after={"colour": "green-here"})
    note(other_project, after={"colour": "red-there"})
    page = client_as(Role.ADMIN).get(reverse("core:audit", args=[project.slug])).content.decode()
    assert "green-here" in page
    assert "red-there" not in page


@pytest.mark.parametrize(
    "query",
    ["?since=yesterday", "?action=none.such", "?until=9999-12-31", "?after=forged", "?since=0001-01-01"],
)
def test_a_filter_that_cannot_be_read_is_harmless(
    client_as: Callable[[Role], Client], project: Project, query: str
) -> None:
    address = reverse("core:audit", args=[project.slug])
    assert client_as(Role.ADMIN).get(address + query).status_code == 200


def test_the_export_holds_what_the_filter_lets_through_and_no_formula(
    client_as: Callable[[Role], Client], project: Project
) -> None:
    note(project, "thing.make", after={"name": "x"})
    evil = Actor(kind="user", id="2", label="=HYPERLINK(1)", address="")
    audit(evil, "thing.break", project, project=project)
    answer = client_as(Role.ADMIN).get(
        reverse("core:audit-export", args=[project.slug]) + "?action=thing.break"
    )
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[arg-type]
    header, row = csv.reader(StringIO(text))
    assert header[:2] == ["when", "by"]
    assert (row[1], row[4]) == ("'=HYPERLINK(1)", "thing.break")


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        ("-2.5", "-2.5"),
        ("+1e3", "+1e3"),
        ("plain", "plain"),
        (None, ""),
        (3, "3"),
        (-3, "-3"),
    ],
)
def test_a_cell_is_no_formula(cell: object, safe: str) -> None:
    assert defused(cell) == safe


def test_what_happened_to_accounts_is_for_superusers(
    superuser_client: Client, client_as: Callable[[Role], Client], project: Project
) -> None:
    note(project, after={"colour": "in-a-project"})
    page = superuser_client.get(reverse("core:accounts-audit")).content.decode()
    assert "User: sign in" in page
    assert "in-a-project" not in page
    export = superuser_client.get(reverse("core:accounts-audit-export"))
    assert b"user.sign_in" in b"".join(export.streaming_content)  # type: ignore[arg-type]
    admin = client_as(Role.ADMIN)
    assert admin.get(reverse("core:accounts-audit")).status_code == 403
    assert admin.get(reverse("core:accounts-audit-export")).status_code == 403


def test_under_asgi_the_export_is_sent_while_it_is_made() -> None:
    drawn: list[int] = []

    def lines() -> Iterator[str]:
        for number in range(3000):
            drawn.append(number)
            yield f"{number}\n"

    request = AsyncRequestFactory().get("/")
    answer = download(request, lines(), name="x.csv", content_type="text/csv")

    async def read() -> None:
        parts = aiter(answer)
        first = await anext(parts)
        assert (first.count(b"\n"), len(drawn)) == (1000, 1000)
        assert b"".join([first] + [part async for part in parts]).count(b"\n") == 3000

    async_to_sync(read)()
