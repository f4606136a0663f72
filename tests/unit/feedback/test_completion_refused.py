"""A request for a completion that comes with too many others leaves no call behind."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from apps.feedback.completing import waiting
from apps.feedback.completing.errors import TooManyWaiting
from apps.workbench.models import Call


@pytest.mark.parametrize("keep", [False, True])
def test_a_call_that_was_begun_and_is_refused_is_stopped_unless_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    call = Call(pk=uuid4(), page=uuid4(), author_kind="api_key", author_id="k", keep=keep)
    stopped: list[Any] = []

    async def stop(left: Call) -> None:
        stopped.append(left)

    monkeypatch.setattr(waiting, "_stop", stop)
    monkeypatch.setitem(waiting._waiting, "api_key:k", waiting.MOST_OF_ONE)

    async def ask() -> None:
        async for _ in waiting.call_events(call, within_s=1):
            pass

    with pytest.raises(TooManyWaiting):
        asyncio.run(ask())
    assert stopped == ([] if keep else [call])
    assert waiting._waiting["api_key:k"] == waiting.MOST_OF_ONE
