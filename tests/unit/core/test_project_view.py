"""Who may open a project's pages, and how failures look."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.models import Project
from apps.core.roles import Role
from tests.factories.core import make_user

pytestmark = pytest.mark.django_db

#: URL name, least role
PAGES = (
    ("core:project-home", Role.VIEWER),
    ("core:members", Role.VIEWER),
    ("core:project-settings", Role.ADMIN),
    ("core:api-keys", Role.ADMIN),
    ("core:audit", Role.ADMIN),
    ("core:audit-export", Role.ADMIN),
)


@pytest.fixture(autouse=True)
def _somebody(db: None) -> None:
    make_user()


@pytest.mark.parametrize(("name", "least"), PAGES)
@pytest.mark.parametrize("role", Role)
def test_a_page_opens_from_its_role_on(
    client_as: Callable[[Role], Client], project: Project, name: str, least: Role, role: Role
) -> None:
    answer = client_as(role).get(reverse(name, args=[project.slug]))
    assert answer.status_code == (200 if role >= least else 403)


@pytest.mark.parametrize(("name", "least"), PAGES)
def test_to_strangers_a_project_does_not_exist(
    stranger_client: Client, project: Project, name: str, least: Role
) -> None:
    theirs = stranger_client.get(reverse(name, args=[project.slug]))
    nobodys = stranger_client.get(reverse(name, args=["no-such-project"]))
    assert (theirs.status_code, nobodys.status_code) == (404, 404)


@pytest.mark.parametrize(("name", "least"), PAGES)
def test_who_is_not_signed_in_is_asked_to(client: Client, project: Project, name: str, least: Role) -> None:
    url = reverse(name, args=[project.slug])
    answer = client.get(url)
    assert (answer.status_code, answer.url) == (302, f"{reverse('account_login')}?next={url}")


def test_a_superuser_is_admin_of_every_project(superuser_client: Client, project: Project) -> None:
    assert superuser_client.get(reverse("core:audit", args=[project.slug])).status_code == 200


def test_a_refusal_says_which_role_is_needed(client_as: Callable[[Role], Client], project: Project) -> None:
    answer = client_as(Role.EDITOR).get(reverse("core:audit", args=[project.slug]))
    assert "needs the role admin; yours" in answer.content.decode()


def test_htmx_gets_a_failure_as_a_notice(client_as: Callable[[Role], Client], project: Project) -> None:
    answer = client_as(Role.EDITOR).get(
        reverse("core:audit", args=[project.slug]), headers={"HX-Request": "true"}
    )
    assert answer.status_code == 403
    assert "<html" not in answer.content.decode()
    assert "data-toast" in answer.content.decode()


@pytest.mark.parametrize("query", ["?q=%00", "?after=%00", "?x=a%00b"])
def test_nul_in_an_address_is_refused_not_a_crash(
    superuser_client: Client, project: Project, query: str
) -> None:
    answer = superuser_client.get(reverse("core:audit", args=[project.slug]) + query)
    assert answer.status_code == 400
    assert "NUL" in answer.content.decode()


def test_an_archived_project_is_read_only_until_it_is_brought_back(
    client_as: Callable[[Role], Client], project: Project
) -> None:
    admin = client_as(Role.ADMIN)
    archiving, settings_ = (
        reverse(f"core:project-{n}", args=[project.slug]) for n in ("archive", "settings")
    )
    assert admin.post(archiving).status_code == 302
    assert admin.get(settings_).status_code == 200
    assert admin.post(settings_, {"name": "Renamed"}).status_code == 403
    assert admin.post(archiving, {"undo": "1"}).status_code == 302
    assert admin.post(settings_, {"name": "Renamed"}).status_code == 302
    project.refresh_from_db()
    assert (project.name, project.archived_at) == ("Renamed", None)


@pytest.mark.parametrize("name", [page[0] for page in PAGES if page[0] != "core:audit-export"])
def test_pages_ask_the_database_little(
    client_as: Callable[[Role], Client],
    user_with_role: Callable[[Role], object],
    project: Project,
    name: str,
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    client = client_as(Role.ADMIN)
    for _ in range(15):
        user_with_role(Role.EDITOR)
    with django_assert_max_num_queries(12):  # type: ignore[attr-defined]
        client.get(reverse(name, args=[project.slug]))


def test_a_fragment_asked_for_after_the_session_ended_leads_to_sign_in(
    client: Client, project: Project
) -> None:
    page = reverse("core:members", args=[project.slug])
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{page}?q=1"}
    answer = client.get(reverse("core:project-home", args=[project.slug]), headers=headers)
    assert answer["HX-Redirect"] == f"{reverse('account_login')}?next={page}%3Fq%3D1"
