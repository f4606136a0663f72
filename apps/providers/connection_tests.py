"""The life of a connection test: asked for on a page, done by a worker, read by the page that waits."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.dispatch import enqueue
from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.providers.connection import LOCAL
from apps.providers.errors import ProviderArchived
from apps.providers.model_services import models_discovered, valid_model_name
from apps.providers.models import TEST_OVERDUE_AFTER, ConnectionTest, Provider
from apps.providers.probe import ProbeResult, probe
from apps.providers.services import provider_connection

log = logging.getLogger(__name__)

_Status = ConnectionTest.Status
_LOST = "No worker finished this test. Is a worker running? Look at the workers' log, then test again."
_MAX_MESSAGE = 4000


def connection_test_start(
    *, project: Project, by: Actor, provider: Provider, model_name: str = ""
) -> ConnectionTest:
    """Ask a worker to test the provider, and to call `model_name` once if it is given."""
    model_name = model_name.strip()
    if model_name and not valid_model_name(model_name):
        text = "This cannot be a model's name."
        raise InvalidInput(text, fields={"model": [text]})
    if provider.archived_at is not None:
        raise ProviderArchived(f"The provider {provider.name} is archived.")
    local = provider.kind == LOCAL
    with transaction.atomic():
        test = ConnectionTest.objects.create(
            provider=provider, model_name=model_name, **ConnectionTest.author_fields(by)
        )
        audit(
            by,
            "provider.test",
            provider,
            project=project,
            after={"model": model_name} if model_name else None,
        )
        enqueue(
            "worker.providers.test_local_model" if local else "worker.providers.test_connection",
            queue="local" if local else "interactive",
            test_id=str(test.pk),
        )
    return test


def connection_test_run(*, test_id: UUID) -> None:
    """Do the test, in a worker. A second delivery of the same task does nothing."""
    claimed = ConnectionTest.objects.filter(pk=test_id, status=_Status.PENDING).update(status=_Status.RUNNING)
    if not claimed:
        return
    test = ConnectionTest.objects.select_related("provider__project").get(pk=test_id)
    try:
        result = probe(provider_connection(test.provider), test.model_name)
    except Exception as error:
        log.exception("Connection test %s failed", test_id)
        result = ProbeResult(
            ok=False, message=getattr(error, "detail", "The test itself failed; see the log.")
        )
    connection_test_finish(test=test, result=result)


def connection_test_finish(*, test: ConnectionTest, result: ProbeResult) -> ConnectionTest:
    """Store what was found, with the models that were listed. The first to finish a test wins."""
    now = timezone.now()
    names = sorted({listing.name for listing in result.listings})
    with transaction.atomic():
        unfinished = ConnectionTest.objects.filter(pk=test.pk, status__in=(_Status.PENDING, _Status.RUNNING))
        finished = unfinished.update(
            status=_Status.OK if result.ok else _Status.FAILED,
            message=result.message[:_MAX_MESSAGE],
            error_kind=result.error_kind,
            models=names,
            finished_at=now,
        )
        if finished and result.ok and test.provider.archived_at is None:
            models_discovered(provider=test.provider, listings=list(result.listings), at=now)
    test.refresh_from_db()
    return test


def connection_tests_sweep() -> int:
    """Fail the tests that no worker finished in time; how many."""
    lost = ConnectionTest.objects.filter(
        status__in=(_Status.PENDING, _Status.RUNNING), created_at__lt=timezone.now() - TEST_OVERDUE_AFTER
    )
    return lost.update(status=_Status.FAILED, message=_LOST, finished_at=timezone.now())
