"""Calls that nobody took up, and calls whose worker was lost: none waits or runs for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from apps.providers.connection import LOCAL
from apps.workbench.calls.finishing import calls_end
from apps.workbench.calls.outcomes import NEVER_TAKEN, PAGE_LEFT, WORKER_LOST, Stop, broken_off
from apps.workbench.calls.services import PATIENCE, call_enqueue, local_calls_enqueue
from apps.workbench.calls.stream import Page, is_present, told_so_far
from apps.workbench.models import Call

Status = Call.Status
#: A call that waited for so long is nobody's wish any more.
GIVE_UP_AFTER = timedelta(minutes=10)
#: Between sending its message again and again.
AGAIN_AFTER = timedelta(seconds=60)
_AT_ONCE = 500


def calls_sweep() -> int:
    """End the calls that were lost, and send those again that still wait; how many there were."""
    now = timezone.now()
    forgotten = Q(lease_until__lt=now) | Q(lease_until=None, created_at__lt=now - PATIENCE)
    unfinished = Call.objects.filter(forgotten, status__in=(Status.PENDING, Status.RUNNING))
    found = list(unfinished.select_related("model__provider").order_by("pk")[:_AT_ONCE])
    old = [call for call in found if call.created_at < now - GIVE_UP_AFTER]
    is_local_busy = any(map(_is_local, old)) and _takes_local_calls(now)
    again = []
    for call in found:
        if call.status == Status.RUNNING:
            _end(call, WORKER_LOST)
        elif call in old and not (is_local_busy and _is_local(call)):
            _end(call, NEVER_TAKEN)
        elif not call.keep and not is_present(Page.of_call(call)):
            _end(call, PAGE_LEFT)
        else:
            again.append(call)
    _send_again(again)
    return len(found)


def _takes_local_calls(now: datetime) -> bool:
    """Whether a worker takes up calls to the embedded model: then each has its turn, however many wait."""
    lately = now - GIVE_UP_AFTER
    return Call.objects.filter(model__provider__kind=LOCAL, started_at__gte=lately).exists()


def _is_local(call: Call) -> bool:
    return call.model is not None and call.model.provider.kind == LOCAL


def _end(call: Call, why: Stop) -> None:
    """Unless somebody renewed the claim, or took the call up, since it was read."""
    same = Call.objects.filter(pk=call.pk, status=call.status, lease=call.lease, lease_until=call.lease_until)
    output = told_so_far(call) if call.status == Status.RUNNING else ""
    calls_end(same, broken_off(why, output=output))


def _send_again(calls: list[Call]) -> None:
    ids = [call.pk for call in calls]
    waiting = Call.objects.filter(pk__in=ids, status=Status.PENDING)
    waiting.update(lease_until=timezone.now() + AGAIN_AFTER)
    local = [call for call in calls if _is_local(call)]
    for call in calls:
        if call not in local:
            call_enqueue(call.pk)
    if local:
        local_calls_enqueue()
