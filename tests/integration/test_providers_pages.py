"""The providers' pages: who sees what, what forms refuse, and how many queries they need."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from apps.core.actor import Actor
from apps.core.models import Project
from apps.core.roles import Role
from apps.providers.adapters.fake import FAILING
from apps.providers.connection import FAKE, OPENAI
from apps.providers.connection_tests import connection_test_run
from apps.providers.models import ConnectionTest, Model, Provider
from apps.providers.selectors import model_names
from apps.providers.services import ProviderSettings, provider_create
from tests.loopback_provider import API_KEY, LoopbackProvider

pytestmark = pytest.mark.django_db
ClientAs = Callable[[Role], Client]
SECRET = "sk-very-secret-0123456789"
MOST_QUERIES = 12


@pytest.fixture
def endpoint(project: Project, actor: Actor, loopback_provider: LoopbackProvider) -> Provider:
    settings = ProviderSettings(name="Loop", base_url=loopback_provider.base_url)
    return provider_create(project=project, by=actor, kind=OPENAI, settings=settings, api_key=API_KEY)


def _address(project: Project, rest: str = "") -> str:
    return f"/p/{project.slug}/providers/{rest}"


def test_the_list_shows_every_provider_and_only_an_admin_may_add(
    project: Project, endpoint: Provider, client_as: ClientAs
) -> None:
    page = client_as(Role.VIEWER).get(_address(project)).content.decode()
    assert "Embedded model" in page
    assert "Loop" in page
    assert "New provider" not in page
    assert "New provider" in client_as(Role.ADMIN).get(_address(project)).content.decode()


@pytest.mark.parametrize("rest", ["new/", "loop/edit/", "loop/models/new/"])
def test_forms_are_for_admins(project: Project, endpoint: Provider, client_as: ClientAs, rest: str) -> None:
    assert client_as(Role.APPROVER).get(_address(project, rest)).status_code == 403
    assert client_as(Role.ADMIN).get(_address(project, rest)).status_code == 200


def test_people_outside_the_project_see_nothing(
    project: Project, endpoint: Provider, stranger_client: Client
) -> None:
    assert stranger_client.get(_address(project)).status_code == 404
    assert stranger_client.get(_address(project, "loop/")).status_code == 404


def test_a_provider_is_made_by_the_form_and_its_key_is_never_shown(
    project: Project, client_as: ClientAs
) -> None:
    client = client_as(Role.ADMIN)
    form = {
        "kind": "openai",
        "name": "My vLLM",
        "base_url": "http://10.0.0.5:8000/v1/",
        "api_key": SECRET,
        "max_concurrency": 4,
        "timeout_s": 60,
    }
    answer = client.post(_address(project, "new/"), form, follow=True)
    assert answer.redirect_chain[-1][0] == _address(project, "my-vllm/")
    assert "http://10.0.0.5:8000/v1<" in answer.content.decode()
    for rest in ("", "my-vllm/", "my-vllm/edit/"):
        assert SECRET not in client.get(_address(project, rest)).content.decode()
    assert "A key is set" in client.get(_address(project, "my-vllm/edit/")).content.decode()


def test_only_an_endpoint_has_a_base_url_and_a_key(project: Project, client_as: ClientAs) -> None:
    client = client_as(Role.ADMIN)
    page = client.get(_address(project, "new/")).content.decode()
    assert 'data-choice-for="openai" >' in page
    for words in ("vLLM, TGI, Ollama", "comes with this product", "answers by simple rules"):
        assert words in page
    form = {"kind": "fake", "name": "", "base_url": "http://x", "max_concurrency": 8, "timeout_s": 120}
    refused = client.post(_address(project, "new/"), form)
    assert refused.status_code == 400
    assert 'data-choice-for="openai" hidden disabled>' in refused.content.decode()
    assert client.post(_address(project, "new/"), form | {"name": "Try"}).status_code == 302
    made = Provider.objects.get(name="Try")
    assert (made.kind, made.base_url, made.has_credential) == ("fake", "", False)
    for kind_page in (client.get(_address(project, "try/edit/")), client.get(_address(project, "try/"))):
        assert "Base URL" not in kind_page.content.decode()


def test_a_fake_provider_says_what_its_models_do(project: Project, client_as: ClientAs) -> None:
    settings = ProviderSettings(name="Fake")
    provider_create(project=project, by=Actor.system(), kind="fake", settings=settings)
    page = client_as(Role.VIEWER).get(_address(project, "fake/")).content.decode()
    assert "Answers with the last user message" in page
    assert "Models that always fail" in page
    last_that_answers, first_that_fails = page.rindex("<td>script</td>"), page.index("<td>error-401</td>")
    assert last_that_answers < page.index("<details") < first_that_fails
    assert page.index("<td>echo</td>") < page.index("<td>count</td>")
    names = [name for name in model_names(project=project) if name.startswith("fake/")]
    assert names[0] == "fake/count"
    assert all(name.startswith("fake/error-") for name in names[-len(FAILING) :])


def test_a_failed_test_is_shown_red_in_one_place(
    project: Project, endpoint: Provider, client_as: ClientAs, loopback_provider: LoopbackProvider
) -> None:
    loopback_provider.api_key = "another"
    client = client_as(Role.ADMIN)
    client.post(_address(project, "loop/test/"))
    connection_test_run(test_id=ConnectionTest.objects.get(provider=endpoint).pk)
    page = client.get(_address(project, "loop/")).content.decode()
    assert page.count('<div class="alert alert-danger">') == 1
    assert "notice-success" not in page


def test_a_new_provider_is_not_yet_said_to_work(project: Project, client_as: ClientAs) -> None:
    form = {"kind": "openai", "name": "New", "max_concurrency": 8, "timeout_s": 120}
    page = client_as(Role.ADMIN).post(_address(project, "new/"), form, follow=True).content.decode()
    assert "notice-success" not in page
    assert "Not tested yet. A test shows whether it answers, and lists its models." in page


def test_a_refused_form_keeps_what_was_typed_but_the_key(project: Project, client_as: ClientAs) -> None:
    form = {
        "kind": "openai",
        "name": "Cloud",
        "base_url": "http://169.254.169.254/v1",
        "api_key": SECRET,
        "max_concurrency": 8,
        "timeout_s": 120,
    }
    answer = client_as(Role.ADMIN).post(_address(project, "new/"), form)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "link-local or cloud metadata address" in page
    assert 'value="http://169.254.169.254/v1"' in page
    assert SECRET not in page


def test_an_edit_without_a_key_keeps_the_stored_one(
    project: Project, endpoint: Provider, client_as: ClientAs
) -> None:
    form = {"name": "Loop 2", "base_url": endpoint.base_url, "max_concurrency": 2, "timeout_s": 9}
    client = client_as(Role.ADMIN)
    assert client.post(_address(project, "loop/edit/"), form).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.name, endpoint.max_concurrency, endpoint.has_credential) == ("Loop 2", 2, True)
    assert client.post(_address(project, "loop/edit/"), {**form, "remove_key": "on"}).status_code == 302
    endpoint.refresh_from_db()
    assert not endpoint.has_credential


def test_a_test_is_started_watched_and_shown(
    project: Project, endpoint: Provider, client_as: ClientAs
) -> None:
    client = client_as(Role.ADMIN)
    waiting = client.post(_address(project, "loop/test/"), headers={"HX-Request": "true"}).content.decode()
    test = ConnectionTest.objects.get(provider=endpoint)
    status = _address(project, f"loop/tests/{test.pk}/")
    assert f'hx-get="{status}"' in waiting
    assert "hx-get" in client.get(status, headers={"HX-Request": "true"}).content.decode()
    connection_test_run(test_id=test.pk)
    done = client.get(status, headers={"HX-Request": "true"})
    assert "lists 2 models" in done.content.decode()
    assert "hx-get" not in done.content.decode()
    assert done["HX-Refresh"] == "true"
    page = client.get(_address(project, "loop/")).content.decode()
    assert "loop-small" in page
    assert "4,096" in page or "4096" in page or "4\u202f096" in page


def test_a_price_is_set_and_an_unknown_one_says_so(
    project: Project, endpoint: Provider, client_as: ClientAs
) -> None:
    client = client_as(Role.ADMIN)
    model = Model.objects.create(provider=endpoint, name="own-model")
    assert "unknown" in client.get(_address(project, "loop/")).content.decode()
    address = _address(project, f"loop/models/{model.pk}/price/")
    half = client.post(address, {"input_price": "1.5"})
    assert half.status_code == 400
    assert "Give both prices" in half.content.decode()
    assert client.post(address, {"input_price": "1.5", "output_price": "6"}).status_code == 302
    assert "Set here" in client.get(_address(project, "loop/")).content.decode()


def test_archiving_takes_a_provider_off_the_list(
    project: Project, endpoint: Provider, client_as: ClientAs
) -> None:
    client = client_as(Role.ADMIN)
    assert client.post(_address(project, "loop/archive/")).status_code == 302
    assert ">Loop<" not in client.get(_address(project)).content.decode()
    assert ">Loop<" in client.get(_address(project) + "?archived=1").content.decode()


def test_the_pages_need_as_many_queries_for_many_rows_as_for_few(
    project: Project,
    actor: Actor,
    client_as: ClientAs,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(12):
        settings = ProviderSettings(name=f"Fake {number}")
        provider_create(project=project, by=actor, kind=FAKE, settings=settings)
    client = client_as(Role.VIEWER)
    for rest in ("", "fake-3/"):
        client.get(_address(project, rest))
        with django_assert_max_num_queries(MOST_QUERIES):
            client.get(_address(project, rest))
