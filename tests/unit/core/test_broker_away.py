"""Work is sent after the commit, and a broker that is away undoes nothing."""

from __future__ import annotations

import pytest
from celery import Celery
from django.conf import settings
from django.db import transaction

from apps.core.dispatch import enqueue
from apps.core.models import Project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery(broker="redis+socket:///nowhere/valkey.sock", set_as_current=False)
    app.conf.broker_transport_options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
    monkeypatch.setattr("apps.core.dispatch.current_app", app)


@pytest.mark.usefixtures("broker_away")
def test_what_was_saved_stays_when_the_broker_is_away(caplog: pytest.LogCaptureFixture) -> None:
    with transaction.atomic():
        Project.objects.create(slug="kept", name="Kept")
        enqueue("worker.sweep", queue="default")

    assert Project.objects.filter(slug="kept").exists()
    assert "worker.sweep" in caplog.text


@pytest.mark.usefixtures("broker_away")
def test_outside_of_a_transaction_nothing_is_raised_either(caplog: pytest.LogCaptureFixture) -> None:
    enqueue("worker.sweep", queue="default")

    assert "worker.sweep" in caplog.text


def test_nothing_is_sent_for_what_was_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr("apps.core.dispatch._send", lambda name, *args: sent.append(name))
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue("worker.sweep", queue="default")
        raise ZeroDivisionError

    assert sent == []
