"""A run keeps to its provider's limits per minute, and no worker sleeps on them."""

from __future__ import annotations

import pytest
from django.utils import timezone

from apps.datasets.models import DatasetVersion
from apps.evaluations.engine import driving
from apps.prompts.models import PromptVersion
from apps.providers.models import Provider
from tests.factories.driven_runs import make_run

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_slice_ends_at_the_limit_and_its_successor_waits(
    words: DatasetVersion, prompt: PromptVersion, fake: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, float | None]] = []
    monkeypatch.setattr(
        "apps.core.dispatch._send",
        lambda name, queue, countdown, *rest: sent.append((name, countdown)),
    )
    Provider.objects.filter(pk=fake.pk).update(requests_per_minute=10)
    run = make_run(words, prompt)
    sent.clear()

    driving.drive_run(run.pk, run.driver_token)

    run.refresh_from_db()
    assert run.status == "running"
    assert run.items.filter(status="completed").count() == 10
    assert run.items.filter(status="pending").count() == 30
    assert not run.items.filter(lease_until__gt=timezone.now()).exists(), "what waits is free for others"
    ((name, countdown),) = sent
    assert name == "worker.evaluations.drive_run"
    assert countdown is not None
    assert 1 < countdown <= 62


def test_tokens_per_minute_hold_too(
    words: DatasetVersion, prompt: PromptVersion, fake: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call uses two tokens here, one in and one out; the first is expected to use far more."""
    monkeypatch.setattr("apps.core.dispatch._send", lambda *args: None)
    Provider.objects.filter(pk=fake.pk).update(tokens_per_minute=20)
    run = make_run(words, prompt)

    driving.drive_run(run.pk, run.driver_token)

    answered = run.items.filter(status="completed").count()
    assert 1 <= answered <= 10
