"""Providers, models and prices as services write them, on a real database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.core.actor import Actor
from apps.core.crypto import decrypt, rotate_key_ring
from apps.core.errors import Conflict, InvalidInput, NameTaken, ProductError
from apps.core.models import AuditEvent, Project
from apps.providers.connection import FAKE, LOCAL, OPENAI
from apps.providers.errors import BaseUrlRefused, ProviderArchived, ProviderNotFound, UnknownModel
from apps.providers.model_services import model_add, model_price_set
from apps.providers.models import Model, Provider
from apps.providers.prices import Price
from apps.providers.selectors import model_names, model_price, model_resolve, provider_get
from apps.providers.services import (
    ProviderSettings,
    local_provider_ensure,
    provider_archive,
    provider_connection,
    provider_create,
    provider_credential_set,
    provider_update,
)

pytestmark = pytest.mark.django_db
SECRET = "sk-very-secret-0123456789"


def _endpoint(project: Project, actor: Actor, name: str = "vLLM", **rest: Any) -> Provider:
    settings = ProviderSettings(name=name, base_url=rest.pop("base_url", "http://10.0.0.5:8000/v1"))
    return provider_create(
        project=project, by=actor, kind=OPENAI, settings=settings, **{"api_key": SECRET, **rest}
    )


def test_a_new_project_has_the_embedded_model(project: Project, actor: Actor) -> None:
    assert "local/smollm2-135m-instruct" in model_names(project=project)
    assert local_provider_ensure(project=project, by=actor).slug == "local"
    assert Provider.objects.filter(project=project, kind=LOCAL).count() == 1


def test_a_credential_is_encrypted_and_only_a_connection_has_it(project: Project, actor: Actor) -> None:
    provider = _endpoint(project, actor)
    assert SECRET not in provider.credential
    assert decrypt(provider.credential) == SECRET
    connection = provider_connection(provider)
    assert connection.api_key == SECRET
    assert SECRET not in repr(connection)


def test_the_audit_log_tells_of_changes_but_not_of_secrets(project: Project, actor: Actor) -> None:
    provider = _endpoint(project, actor)
    provider_credential_set(project=project, by=actor, provider=provider, api_key="sk-another-secret")
    events = list(AuditEvent.objects.filter(project=project, target_id=str(provider.pk)).order_by("id"))
    assert [event.action for event in events] == ["provider.create", "provider.update"]
    assert events[1].after["credential"] == "replaced"
    assert "secret" not in str([(event.before, event.after) for event in events])


def test_a_rotated_key_ring_still_opens_the_credential(project: Project, actor: Actor) -> None:
    provider = _endpoint(project, actor)
    before = provider.credential
    assert rotate_key_ring() >= 1
    provider.refresh_from_db()
    assert provider.credential != before
    assert decrypt(provider.credential) == SECRET


def test_a_name_is_taken_once_per_project_in_any_case(
    project: Project, other_project: Project, actor: Actor
) -> None:
    first = _endpoint(project, actor, "My vLLM")
    with pytest.raises(NameTaken, match="already a provider called"):
        _endpoint(project, actor, "my VLLM")
    assert _endpoint(other_project, actor, "My vLLM").slug == first.slug
    provider_archive(project=project, by=actor, provider=first)
    assert _endpoint(project, actor, "My vLLM").slug == "my-vllm-2"


def test_a_slug_never_hides_a_page(project: Project, actor: Actor) -> None:
    assert _endpoint(project, actor, "New").slug == "new-provider"
    with pytest.raises(InvalidInput):
        _endpoint(project, actor, "Newer", slug="new")


@pytest.mark.parametrize(
    ("kind", "wanted", "api_key", "field"),
    [
        (OPENAI, ProviderSettings(name=" "), "", "name"),
        (OPENAI, ProviderSettings(name="x" * 121), "", "name"),
        (OPENAI, ProviderSettings(name="x", max_concurrency=0), "", "max_concurrency"),
        (OPENAI, ProviderSettings(name="x", requests_per_minute=0), "", "requests_per_minute"),
        (OPENAI, ProviderSettings(name="x", tokens_per_minute=0), "", "tokens_per_minute"),
        (OPENAI, ProviderSettings(name="x", timeout_s=4000), "", "timeout_s"),
        (OPENAI, ProviderSettings(name="x"), "schlüssel", "api_key"),
        (OPENAI, ProviderSettings(name="x"), "line\nbreak", "api_key"),
        (FAKE, ProviderSettings(name="x"), "key", "api_key"),
        (FAKE, ProviderSettings(name="x", base_url="http://host/v1"), "", "base_url"),
        ("soap", ProviderSettings(name="x"), "", "kind"),
    ],
)
def test_bad_settings_name_their_field(
    project: Project, actor: Actor, kind: str, wanted: ProviderSettings, api_key: str, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        provider_create(project=project, by=actor, kind=kind, settings=wanted, api_key=api_key)
    assert list(caught.value.fields) == [field]


def test_a_metadata_address_is_refused_on_save_and_on_change(project: Project, actor: Actor) -> None:
    with pytest.raises(BaseUrlRefused):
        _endpoint(project, actor, base_url="http://169.254.169.254/v1")
    provider = _endpoint(project, actor, api_key="")
    with pytest.raises(BaseUrlRefused):
        provider_update(
            project=project,
            by=actor,
            provider=provider,
            settings=ProviderSettings(name="vLLM", base_url="http://[::ffff:a9fe:a9fe]/v1"),
        )


def test_a_stored_key_does_not_move_to_another_host(project: Project, actor: Actor) -> None:
    provider = _endpoint(project, actor)
    elsewhere = ProviderSettings(name="vLLM", base_url="https://elsewhere.example/v1")
    with pytest.raises(InvalidInput, match="Enter the key again"):
        provider_update(project=project, by=actor, provider=provider, settings=elsewhere)
    moved = provider_update(
        project=project, by=actor, provider=provider, settings=elsewhere, api_key="sk-new"
    )
    assert decrypt(moved.credential) == "sk-new"
    other_path = ProviderSettings(name="vLLM", base_url="https://elsewhere.example/v2")
    assert provider_update(project=project, by=actor, provider=moved, settings=other_path).has_credential


def test_archiving_forgets_the_key_and_ends_all_changes(project: Project, actor: Actor) -> None:
    provider = provider_archive(project=project, by=actor, provider=_endpoint(project, actor))
    assert provider.credential == ""
    with pytest.raises(ProviderArchived):
        provider_credential_set(project=project, by=actor, provider=provider, api_key="x")
    with pytest.raises(UnknownModel, match="archived"):
        model_resolve(project=project, name="vllm/any")


def test_the_embedded_provider_stays(project: Project, actor: Actor) -> None:
    with pytest.raises(Conflict, match="belongs to every project"):
        provider_archive(project=project, by=actor, provider=local_provider_ensure(project=project, by=actor))


def test_a_model_is_found_by_its_full_name_which_may_hold_slashes(project: Project, actor: Actor) -> None:
    provider = _endpoint(project, actor)
    model = model_add(project=project, by=actor, provider=provider, name="meta-llama/Llama-3")
    assert model_resolve(project=project, name="vllm/meta-llama/Llama-3") == model
    assert model.full_name == "vllm/meta-llama/Llama-3"


def test_a_project_without_any_model_says_so(other_project: Project) -> None:
    Model.objects.filter(provider__project=other_project).delete()
    with pytest.raises(UnknownModel, match="has no model yet: connect a provider"):
        model_resolve(project=other_project, name="")


def test_an_endpoint_that_never_listed_its_models_may_be_asked_for_any(
    project: Project, actor: Actor
) -> None:
    _endpoint(project, actor)
    first = model_resolve(project=project, name="vllm/some-model")
    assert model_resolve(project=project, name="vllm/some-model") == first
    assert first.discovered_at is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", r"Choose a model\."),
        ("gpt", "write provider/model"),
        ("local/", "write provider/model"),
        ("local/nope", "smollm2-135m-instruct"),
        ("nowhere/gpt", "There are these providers: local"),
    ],
)
def test_an_unknown_model_says_what_there_is(project: Project, name: str, words: str) -> None:
    with pytest.raises(UnknownModel, match=words):
        model_resolve(project=project, name=name)


def test_another_projects_provider_does_not_exist(
    project: Project, other_project: Project, actor: Actor
) -> None:
    _endpoint(other_project, actor)
    with pytest.raises(ProviderNotFound):
        provider_get(project=project, slug="vllm")
    with pytest.raises(UnknownModel):
        model_resolve(project=project, name="vllm/some-model")


def test_a_price_is_overridden_and_given_back(project: Project, actor: Actor) -> None:
    provider = _endpoint(project, actor, base_url="https://api.openai.com/v1")
    model = model_add(project=project, by=actor, provider=provider, name="gpt-4o-mini")
    assert model_price(model).source == "list"
    own = Price(Decimal("1.5"), Decimal(6))
    priced = model_price_set(project=project, by=actor, model=model, price=own)
    assert (model_price(priced).source, model_price(priced).price) == ("override", own)
    assert model_price(model_price_set(project=project, by=actor, model=model, price=None)).source == "list"
    with pytest.raises(ProductError):
        model_price_set(project=project, by=actor, model=model, price=Price(Decimal(-1), Decimal(1)))


def test_an_unlisted_price_is_unknown(project: Project, actor: Actor) -> None:
    model = model_add(project=project, by=actor, provider=_endpoint(project, actor), name="own-model")
    assert model_price(model).price is None
    assert model_price(model).source == "unknown"


def test_a_model_is_added_once(project: Project, actor: Actor) -> None:
    provider = _endpoint(project, actor)
    model_add(project=project, by=actor, provider=provider, name="m")
    with pytest.raises(NameTaken):
        model_add(project=project, by=actor, provider=provider, name="m")
    with pytest.raises(InvalidInput):
        model_add(project=project, by=actor, provider=provider, name="two words")
    assert Model.objects.filter(provider=provider).count() == 1
