"""Testing a connection: asked for, done by the worker's task, read by whoever waits."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import pytest
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.models import Project
from apps.providers.connection import FAKE, OPENAI
from apps.providers.connection_tests import (
    connection_test_run,
    connection_test_start,
    connection_tests_sweep,
)
from apps.providers.models import TEST_OVERDUE_AFTER, ConnectionTest, Provider
from apps.providers.selectors import model_resolve, models_of
from apps.providers.services import ProviderSettings, local_provider_ensure, provider_create
from tests.loopback_provider import API_KEY, Behaviour, LoopbackProvider

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(project: Project, actor: Actor, loopback_provider: LoopbackProvider) -> Provider:
    settings = ProviderSettings(name="Loop", base_url=loopback_provider.base_url, timeout_s=2)
    return provider_create(project=project, by=actor, kind=OPENAI, settings=settings, api_key=API_KEY)


def run(provider: Provider, actor: Actor, model_name: str = "") -> ConnectionTest:
    test = connection_test_start(project=provider.project, by=actor, provider=provider, model_name=model_name)
    connection_test_run(test_id=test.pk)
    test.refresh_from_db()
    return test


def test_a_good_connection_lists_models(endpoint: Provider, actor: Actor) -> None:
    test = run(endpoint, actor)
    assert (test.status, test.models) == ("ok", ["loop-large", "loop-small"])
    assert test.message == "The provider answers and lists 2 models."
    found = {model.name: model for model in models_of(provider=endpoint)}
    assert found["loop-small"].context_window == 4096
    assert found["loop-small"].discovered_at == test.finished_at


def test_listing_again_makes_no_model_twice(endpoint: Provider, actor: Actor) -> None:
    run(endpoint, actor)
    run(endpoint, actor)
    assert models_of(provider=endpoint).count() == 2


def test_a_model_is_called_when_asked(
    endpoint: Provider, actor: Actor, loopback_provider: LoopbackProvider
) -> None:
    test = run(endpoint, actor, "loop-small")
    assert test.status == "ok"
    assert "loop-small answered" in test.message
    assert loopback_provider.completions[0].body["max_tokens"] == 16


@pytest.mark.parametrize(
    ("mode", "kind", "words"),
    [
        ("401", "authentication", "the key is wrong"),
        ("hang", "timeout", "within 2 seconds"),
        ("garbage", "bad_response", "is the base URL right?"),
        ("empty", "bad_response", "no OpenAI-compatible server"),
        ("500", "overloaded", "failed or is overloaded"),
        ("404", "bad_request", "does the URL end in /v1?"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(
    endpoint: Provider, actor: Actor, loopback_provider: LoopbackProvider, mode: str, kind: str, words: str
) -> None:
    loopback_provider.behaviour = Behaviour(mode=mode)
    test = run(endpoint, actor)
    assert (test.status, test.error_kind) == ("failed", kind)
    assert words in test.message
    assert models_of(provider=endpoint).count() == 0


def test_an_unknown_model_is_named(endpoint: Provider, actor: Actor) -> None:
    test = run(endpoint, actor, "loop-huge")
    assert test.status == "failed"
    assert "no model named loop-huge" in test.message


def test_after_a_listing_a_prompt_cannot_name_another_model(endpoint: Provider, actor: Actor) -> None:
    run(endpoint, actor)
    with pytest.raises(Exception, match="There are these models: loop-large, loop-small"):
        model_resolve(project=endpoint.project, name="loop/loop-huge")


def test_an_unreachable_host_says_so(project: Project, actor: Actor) -> None:
    settings = ProviderSettings(name="Gone", base_url="http://127.0.0.1:9/v1")
    provider = provider_create(project=project, by=actor, kind=OPENAI, settings=settings)
    assert "connection refused" in run(provider, actor).message


def test_the_fake_provider_can_be_tested(project: Project, actor: Actor) -> None:
    provider = provider_create(project=project, by=actor, kind=FAKE, settings=ProviderSettings(name="Fake"))
    test = run(provider, actor, "echo")
    assert test.status == "ok"
    assert models_of(provider=provider).count() == len(test.models) > 10


def test_a_task_delivered_twice_tests_once(
    endpoint: Provider, actor: Actor, loopback_provider: LoopbackProvider
) -> None:
    test = run(endpoint, actor)
    connection_test_run(test_id=test.pk)
    assert len(loopback_provider.calls) == 1


def test_each_kind_goes_to_the_queue_that_serves_it(endpoint: Provider, actor: Actor) -> None:
    local = local_provider_ensure(project=endpoint.project, by=actor)
    with patch("apps.providers.connection_tests.enqueue") as enqueue:
        connection_test_start(project=endpoint.project, by=actor, provider=endpoint)
        connection_test_start(project=endpoint.project, by=actor, provider=local)
    sent = [(call.args[0], call.kwargs["queue"]) for call in enqueue.call_args_list]
    assert sent == [
        ("worker.providers.test_connection", "interactive"),
        ("worker.providers.test_local_model", "local"),
    ]


def test_a_test_that_no_worker_took_ends_by_the_sweep(endpoint: Provider, actor: Actor) -> None:
    test = connection_test_start(project=endpoint.project, by=actor, provider=endpoint)
    assert connection_tests_sweep() == 0
    long_ago = timezone.now() - TEST_OVERDUE_AFTER - timedelta(seconds=1)
    ConnectionTest.objects.filter(pk=test.pk).update(created_at=long_ago)
    assert connection_tests_sweep() == 1
    test.refresh_from_db()
    assert test.status == "failed"
    assert "No worker finished this test" in test.message
