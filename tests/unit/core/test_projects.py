"""Making, renaming and archiving projects."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.core import projects
from apps.core.actor import Actor
from apps.core.errors import InvalidInput, NameTaken, ProductError, Refused
from apps.core.models import AuditEvent, Membership, Project
from apps.core.projects import project_create, project_rename
from apps.core.roles import Role
from tests.factories.core import actor_for, make_member, make_user

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests")


def test_who_makes_a_project_becomes_its_admin() -> None:
    superuser = make_user(superuser=True)
    project = project_create(by=actor_for(superuser), name="Spelling & Grammar")
    assert project.slug == "spelling-grammar"
    assert Membership.objects.get(project=project).role == Role.ADMIN


def test_only_superusers_and_the_system_make_projects(project: Project) -> None:
    admin = make_member(project, Role.ADMIN)
    with pytest.raises(Refused):
        project_create(by=actor_for(admin, project), name="Another")


@pytest.mark.parametrize("name", ["Spelling", "spelling", "  SPELLING "])
def test_a_name_is_taken_in_any_case(name: str) -> None:
    project_create(by=SYSTEM, name="Spelling")
    with pytest.raises(NameTaken) as caught:
        project_create(by=SYSTEM, name=name)
    assert "name" in caught.value.fields


def test_a_slug_is_taken_for_good(project: Project) -> None:
    with pytest.raises(NameTaken):
        project_create(by=SYSTEM, name="Another", slug=project.slug)


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "\x00"])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        project_create(by=SYSTEM, name=name)


@pytest.mark.parametrize("slug", ["", "Upper", "with space", "-a", "a-", "a" * 81, "a\n"])
def test_a_slug_that_cannot_be_one_is_refused(slug: str) -> None:
    with pytest.raises(InvalidInput):
        project_create(by=SYSTEM, name="Fine", slug=slug)


def test_a_new_name_leaves_the_address_as_it_is(project: Project) -> None:
    slug = project.slug
    renamed = project_rename(project=project, by=SYSTEM, name="Quite another")
    assert (renamed.name, renamed.slug) == ("Quite another", slug)
    event = AuditEvent.objects.get(action="project.rename")
    assert (event.before, event.after) == ({"name": project.name}, {"name": "Quite another"})


def test_higher_rooms_take_part_in_the_making(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(projects, "_created", [lambda project, by: seen.append(project.slug)])
    project_create(by=SYSTEM, name="New")
    assert seen == ["new"]


def test_a_hook_that_fails_leaves_no_half_project(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(project: Project, by: Actor) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(projects, "_created", [failing])
    with pytest.raises(RuntimeError):
        project_create(by=SYSTEM, name="New")
    assert not Project.objects.filter(name="New").exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_a_name_at_once_one_gets_it() -> None:
    def attempt(_: int) -> bool:
        try:
            project_create(by=SYSTEM, name="Wanted")
        except ProductError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]


def test_the_start_leads_to_the_only_project(project: Project) -> None:
    client = Client()
    client.force_login(make_member(project, Role.VIEWER))
    assert client.get(reverse("core:home")).url == reverse("core:project-home", args=[project.slug])
    assert client.get(reverse("core:home") + "?all").status_code == 200


def test_the_start_leads_to_the_project_seen_last(project: Project, other_project: Project) -> None:
    user = make_member(other_project, Role.VIEWER, make_member(project, Role.VIEWER))
    client = Client()
    client.force_login(user)
    assert client.get(reverse("core:home")).status_code == 200
    client.get(reverse("core:project-home", args=[other_project.slug]))
    assert client.get(reverse("core:home")).url == reverse("core:project-home", args=[other_project.slug])


def test_a_superuser_makes_a_project_by_form(superuser_client: Client, project: Project) -> None:
    taken = superuser_client.post(reverse("core:project-create"), {"name": project.name})
    assert taken.status_code == 400
    assert "has this name already" in taken.content.decode()
    assert superuser_client.post(reverse("core:project-create"), {"name": "Fresh"}).url == "/p/fresh/"


def test_others_make_no_project(stranger_client: Client) -> None:
    assert stranger_client.get(reverse("core:project-create")).status_code == 403
    assert stranger_client.post(reverse("core:project-create"), {"name": "Fresh"}).status_code == 403
