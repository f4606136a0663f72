"""The limits that all workers share, on a real Valkey. Nothing waits: the past is moved back instead."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.conf import settings as django_settings

from apps.providers.connection import OPENAI, ProviderConnection
from apps.providers.limiter import Member, Outcomes, Window, one_turn
from apps.providers.limiter.concurrency import START, TTL_S, WITHOUT_LIMITER
from apps.providers.limiter.scripts import key, script
from apps.providers.protocol import ErrorKind, ProviderError

CLEAN = Outcomes()


@pytest.fixture
def valkey() -> Iterator[Any]:
    script.cache_clear()
    client = redis.from_url(django_settings.VALKEY_URL, decode_responses=True)
    yield client
    client.close()
    script.cache_clear()


@pytest.fixture
def connection() -> ProviderConnection:
    return ProviderConnection(provider_id=uuid4().hex, slug="x", kind=OPENAI, max_concurrency=64)


def let_pass(valkey: Any, connection: ProviderConnection, seconds: float) -> None:
    """As if so much time had passed: all that was written down happened that much earlier."""
    provider = connection.provider_id
    entries = valkey.hgetall(key(provider, "window"))
    valkey.delete(key(provider, "window"))
    for name, amount in entries.items():
        valkey.hset(key(provider, "window"), f"{name[0]}{int(name[1:]) - int(seconds)}", amount)
    for name in ("last_cut", "grow_after"):
        at = valkey.hget(key(provider, "state"), name)
        if at is not None:
            valkey.hset(key(provider, "state"), name, float(at) - seconds)
    for name, text in valkey.hgetall(key(provider, "members")).items():
        member = json.loads(text)
        member["expires"] -= seconds
        valkey.hset(key(provider, "members"), name, json.dumps(member))


# -- calls and tokens a minute


def test_no_limit_takes_all_without_asking(connection: ProviderConnection) -> None:
    assert not Window(connection).limited
    assert Window(connection).take(1000, tokens_each=10**6).calls == 1000


def test_calls_a_minute_are_taken_once_by_all_and_free_again_a_minute_later(
    valkey: Any, connection: ProviderConnection
) -> None:
    connection = replace(connection, requests_per_minute=10)
    assert Window(connection).take(4).calls == 4
    assert Window(connection).take(100).calls == 6
    refused = Window(connection).take(1)
    assert refused.calls == 0
    assert 59 < refused.wait_s <= 62
    let_pass(valkey, connection, 59)
    assert Window(connection).take(1).calls == 0
    let_pass(valkey, connection, 4)
    assert Window(connection).take(100).calls == 10


def test_tokens_a_minute_hold_beside_calls_and_are_corrected_by_what_was_used(
    valkey: Any, connection: ProviderConnection
) -> None:
    window = Window(replace(connection, requests_per_minute=100, tokens_per_minute=1000))
    assert window.take(50, tokens_each=100).calls == 10
    window.settle(tokens=-300)
    assert window.take(50, tokens_each=100).calls == 3
    window.settle(tokens=5000)
    let_pass(valkey, connection, 30)
    assert window.take(1, tokens_each=1).calls == 0


def test_a_call_larger_than_the_whole_allowance_goes_alone(connection: ProviderConnection) -> None:
    window = Window(replace(connection, tokens_per_minute=100))
    assert window.take(5, tokens_each=500).calls == 1
    assert window.take(5, tokens_each=500).calls == 0


def test_calls_given_back_are_free_at_once(connection: ProviderConnection) -> None:
    window = Window(replace(connection, requests_per_minute=5, tokens_per_minute=50))
    assert window.take(5, tokens_each=10).calls == 5
    window.settle(calls=3, tokens=-30)
    assert window.take(5, tokens_each=10).calls == 3


@pytest.mark.parametrize("seed", range(5))
def test_never_more_than_the_limit_in_any_minute_however_it_is_taken_and_given_back(
    valkey: Any, connection: ProviderConnection, seed: int
) -> None:
    chance = random.Random(seed)
    connection = replace(connection, requests_per_minute=20, tokens_per_minute=1500)
    window, passed = Window(connection), 0
    made: list[tuple[float, int]] = []
    for _ in range(150):
        taken = window.take(chance.randint(1, 8), tokens_each=chance.choice((30, 100))).calls
        unused = chance.randint(0, taken)
        window.settle(calls=unused)
        made += [(time.time() + passed, 1)] * (taken - unused)
        step = chance.choice((0, 1, 3, 10, 25))
        let_pass(valkey, connection, step)
        passed += step
    assert len(made) > 100
    for start, _ in made:
        assert sum(1 for at, _ in made if start <= at < start + 60) <= 20


def test_a_person_waits_for_one_turn_and_is_told_when_there_is_none(connection: ProviderConnection) -> None:
    connection = replace(connection, requests_per_minute=1)
    asyncio.run(one_turn(connection))
    with pytest.raises(ProviderError) as caught:
        asyncio.run(one_turn(connection, within_s=1))
    assert caught.value.kind is ErrorKind.RATE_LIMITED
    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s > 50


# -- calls at once


def member(connection: ProviderConnection, group: str = "run", most: int = 64) -> Member:
    return Member(connection, group=group, most=most)


def grown(one: Member, *, rounds: int, want: int = 64) -> int:
    """Renew with as many clean answers as there were calls, round after round; the calls granted at last."""
    calls = one.renew(want=want, in_flight=0, outcomes=CLEAN).calls
    for _ in range(rounds):
        calls = one.renew(want=want, in_flight=calls, outcomes=Outcomes(ok=calls, saturated=True)).calls
    return calls


def test_calls_start_low_and_double_while_clean_up_to_the_providers_limit(
    valkey: Any, connection: ProviderConnection
) -> None:
    assert member(connection).renew(want=64, in_flight=0, outcomes=CLEAN).calls == START
    assert grown(member(replace(connection, provider_id=uuid4().hex)), rounds=2) == 4 * START
    assert grown(member(replace(connection, provider_id=uuid4().hex)), rounds=9) == 64


def test_the_limit_does_not_grow_while_it_is_not_really_used(connection: ProviderConnection) -> None:
    one = member(connection)
    for _ in range(5):
        grant = one.renew(want=3, in_flight=3, outcomes=Outcomes(ok=3, saturated=False))
    assert (grant.calls, grant.limit) == (3, START)


def test_cached_answers_are_no_calls_and_grow_nothing(connection: ProviderConnection) -> None:
    one = member(connection)
    for _ in range(5):
        grant = one.renew(want=64, in_flight=4, outcomes=Outcomes(ok=0, saturated=True))
    assert grant.limit == START


def test_a_429_cuts_at_most_once_a_second_and_growth_is_slow_after_it(
    valkey: Any, connection: ProviderConnection
) -> None:
    one = member(connection)
    grown(one, rounds=4)
    cut = one.renew(want=64, in_flight=60, outcomes=Outcomes(ok=3, limited=9)).limit
    assert cut == int(64 * 0.7)
    assert one.renew(want=64, in_flight=44, outcomes=Outcomes(limited=9)).limit == cut
    assert one.renew(want=64, in_flight=44, outcomes=Outcomes(ok=44, saturated=True)).limit == cut
    let_pass(valkey, connection, 1.1)
    assert one.renew(want=64, in_flight=44, outcomes=Outcomes(ok=45, saturated=True)).limit == cut + 1
    assert one.renew(want=64, in_flight=44, outcomes=Outcomes(limited=1)).limit < cut


def test_trouble_pauses_growth_and_cuts_nothing(valkey: Any, connection: ProviderConnection) -> None:
    one = member(connection)
    full = grown(one, rounds=1)
    paused = one.renew(want=64, in_flight=full, outcomes=Outcomes(ok=4, troubled=1, saturated=True))
    assert paused.limit == full
    assert one.renew(want=64, in_flight=full, outcomes=Outcomes(ok=8, saturated=True)).limit == full
    let_pass(valkey, connection, 5.1)
    assert one.renew(want=64, in_flight=full, outcomes=Outcomes(ok=8, saturated=True)).limit == 2 * full


def test_two_runs_share_evenly_and_what_one_does_not_want_the_other_has(
    connection: ProviderConnection,
) -> None:
    big, small = member(connection, "big"), member(connection, "small")
    assert grown(big, rounds=9) == 64
    assert small.renew(want=64, in_flight=0, outcomes=CLEAN).calls == 0  # all are under way still
    assert big.renew(want=64, in_flight=64, outcomes=CLEAN).calls == 32
    assert small.renew(want=64, in_flight=0, outcomes=CLEAN).calls == 0
    assert big.renew(want=64, in_flight=32, outcomes=CLEAN).calls == 32
    assert small.renew(want=64, in_flight=0, outcomes=CLEAN).calls == 32
    assert small.renew(want=2, in_flight=2, outcomes=CLEAN).calls == 2
    assert big.renew(want=64, in_flight=32, outcomes=CLEAN).calls == 62


def test_a_runs_share_is_one_however_many_workers_it_has(connection: ProviderConnection) -> None:
    warm = member(connection, "warm")
    grown(warm, rounds=9)
    warm.leave()
    taking = [member(connection, "many"), member(connection, "many"), member(connection, "one")]
    for _ in range(3):
        calls = [one.renew(want=64, in_flight=0, outcomes=CLEAN).calls for one in taking]
    assert calls[0] + calls[1] == calls[2] == 32


def test_a_runs_own_limit_holds_for_all_its_workers(connection: ProviderConnection) -> None:
    first, second = member(connection, most=5), member(connection, most=5)
    grown(first, rounds=6)
    for _ in range(3):
        calls = [one.renew(want=64, in_flight=0, outcomes=CLEAN).calls for one in (first, second)]
    assert sum(calls) <= 5


def test_never_more_under_way_than_the_limit_whoever_asks_when(connection: ProviderConnection) -> None:
    chance = random.Random(7)
    connection = replace(connection, max_concurrency=13)
    members = [member(connection, group=f"run {number % 3}", most=9) for number in range(7)]
    under_way = [0] * len(members)
    for _ in range(400):
        which = chance.randrange(len(members))
        under_way[which] = chance.randint(0, under_way[which])
        grant = members[which].renew(
            want=chance.choice((0, 1, 20)),
            in_flight=under_way[which],
            outcomes=Outcomes(ok=chance.randint(0, 5), saturated=True),
        )
        under_way[which] = max(under_way[which], grant.calls)
        assert sum(under_way) <= 13


def test_a_dead_workers_share_is_free_after_its_time(valkey: Any, connection: ProviderConnection) -> None:
    dead, alive = member(connection, "dead"), member(connection, "alive")
    grown(dead, rounds=9)
    assert alive.renew(want=64, in_flight=0, outcomes=CLEAN).calls == 0
    let_pass(valkey, connection, TTL_S + 0.1)
    assert alive.renew(want=64, in_flight=0, outcomes=CLEAN).calls == 64


def test_who_leaves_gives_the_share_back_at_once(connection: ProviderConnection) -> None:
    first, second = member(connection, "first"), member(connection, "second")
    grown(first, rounds=9)
    first.leave()
    assert second.renew(want=64, in_flight=0, outcomes=CLEAN).calls == 64


def test_without_valkey_a_few_calls_go_on(
    valkey: Any, connection: ProviderConnection, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.VALKEY_URL = "unix:///nowhere/valkey.sock"
    script.cache_clear()
    one = member(connection)
    for _ in range(3):
        assert one.renew(want=64, in_flight=0, outcomes=CLEAN).calls == WITHOUT_LIMITER
    assert len([record for record in caplog.records if "does not answer" in record.message]) == 1
    window = Window(replace(connection, requests_per_minute=1))
    assert window.take(8).calls == 8
    window.settle(calls=3)
    one.leave()


def test_a_valkey_that_forgot_all_starts_again(valkey: Any, connection: ProviderConnection) -> None:
    one = member(connection)
    grown(one, rounds=3)
    valkey.delete(key(connection.provider_id, "state"), key(connection.provider_id, "members"))
    valkey.script_flush()
    assert one.renew(want=64, in_flight=0, outcomes=CLEAN).calls == START
