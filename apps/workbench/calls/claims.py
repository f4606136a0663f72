"""Claims on calls: short, renewed while the work goes on, and fenced by the claim's own token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.db import connection
from django.utils import timezone

from apps.evaluations.engine.requests import parameters_of, request_message
from apps.providers.connection import LOCAL, ProviderConnection
from apps.providers.protocol import CompletionRequest, ErrorKind, ProviderError
from apps.providers.services import provider_connection
from apps.workbench.calls.finishing import call_finish
from apps.workbench.calls.outcomes import failed
from apps.workbench.calls.stream import Page
from apps.workbench.models import Call

Status = Call.Status
LEASE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class ClaimedCall:
    """A call that is ours to answer. `call` is for reading only, without the database."""

    call: Call
    lease: UUID
    page: Page
    connection: ProviderConnection
    request: CompletionRequest


def calls_claim(ids: Sequence[UUID]) -> list[ClaimedCall]:
    """Take those of the calls that are pending; whoever comes second, or again, takes none.

    One that cannot be made (its model was deleted, its key cannot be read) has failed at once.
    """
    lease, now = uuid4(), timezone.now()
    Call.objects.filter(pk__in=ids, status=Status.PENDING).update(
        status=Status.RUNNING, lease=lease, lease_until=now + LEASE, started_at=now
    )
    ours = Call.objects.filter(pk__in=ids, lease=lease).order_by("pk")
    claimed = []
    for call in ours.select_related("model__provider", "prompt", "prompt_version"):
        try:
            claimed.append(_claimed(call, lease))
        except Exception as error:
            outcome = failed(error, output="", first_token_ms=None, duration_ms=0)
            call_finish(call_id=call.pk, lease=lease, outcome=outcome)
    return claimed


def local_calls_claim(most: int) -> list[ClaimedCall]:
    """Take up to `most` pending calls to the embedded model, in the order in which they were asked."""
    pending = Call.objects.filter(status=Status.PENDING, model__provider__kind=LOCAL).order_by("pk")
    return calls_claim(list(pending.values_list("pk", flat=True)[:most]))


def _claimed(call: Call, lease: UUID) -> ClaimedCall:
    if call.model is None:
        raise ProviderError("The model was deleted before it was called.", kind=ErrorKind.UNKNOWN_MODEL)
    content = call.content
    request = CompletionRequest(
        model=call.model.name,
        messages=tuple(request_message(message) for message in call.messages),
        parameters=parameters_of(content.get("parameters") or {}),
        tools=tuple(content.get("tools") or ()),
        response_schema=content.get("response_schema"),
    )
    return ClaimedCall(call, lease, Page.of_call(call), provider_connection(call.model.provider), request)


_RENEW = """
UPDATE workbench_call SET lease_until = now() + %s * interval '1 second'
WHERE id = ANY(%s) AND lease = ANY(%s) AND status = 'running'
"""
_LOOK = """
SELECT id, lease, cancel_requested_at IS NOT NULL FROM workbench_call
WHERE id = ANY(%s) AND status = 'running'
"""


def claims_renew(claims: Iterable[tuple[UUID, UUID]]) -> None:
    """Keep (call, lease) pairs ours for another while."""
    ids, leases = zip(*claims, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, [LEASE.total_seconds(), list(ids), list(leases)])


def claims_look(ids: Sequence[UUID]) -> dict[UUID, tuple[UUID | None, bool]]:
    """For each of the calls that still runs: whose it is, and whether somebody wants it stopped."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, [list(ids)])
        return {row[0]: (row[1], row[2]) for row in cursor.fetchall()}
