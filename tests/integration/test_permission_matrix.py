"""Role × address × project: each is allowed as stated, or answers 403 or 404; none goes without entry."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from rest_framework.test import APIClient

from apps.core.models import Project
from apps.core.roles import Role
from tests.factories.core import make_api_key, make_member, make_project, make_user
from tests.permission_matrix import PAGES, PUBLIC, REST, SIGNED_IN, SUPERUSER, Entry
from tests.world import World, make_world

pytestmark = pytest.mark.django_db
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: What an allowed request may answer: done, moved, or refused for what it says; never for who asks.
REFUSED = (401, 403, 404, 405)
#: Addresses whose things are named in the query or body, so that an empty request finds nothing there.
NOTHING_ASKED_FOR = {
    "core:notification-open",  # somebody else's
    "datasets:draft-keep",
    "datasets:example-delete",
    "datasets:example-edit",
    "evaluations:comparison-comment-delete",  # somebody else's
    "evaluations:comparison-comment-edit",
    "feedback:chat-answer",  # another's
    "feedback:chat-stop",
    "feedback:feedback-to-queue",
    "feedback:annotation-keep",  # somebody else's
    "feedback:annotation-alive",
    "feedback:annotation-submit",
    "feedback:annotation-skip",
    "feedback:annotation-reopen",
    "feedback:annotation-release",
}
GROUPS = (
    "",
    "core",
    "providers",
    "prompts",
    "workbench",
    "datasets",
    "evaluations",
    "traces",
    "feedback",
    "training",
)


@dataclass(frozen=True)
class Address:
    name: str
    parameters: frozenset[str]

    def path(self, world: World) -> str:
        if self.name == "account_reset_password_from_key":
            return reverse(self.name, kwargs={"uidb36": "1", "key": "no-such-key"})
        return reverse(self.name, kwargs=world.kwargs(self.name, set(self.parameters)))


def addresses() -> Iterator[Address]:
    return _walk(get_resolver(), "", frozenset())


def _walk(resolver: URLResolver, namespace: str, above: frozenset[str]) -> Iterator[Address]:
    for pattern in resolver.url_patterns:
        parameters = above | frozenset(pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern, inner, parameters)
        elif isinstance(pattern, URLPattern):
            yield Address(f"{namespace}{pattern.name}", parameters)


def in_group(group: str, name: str) -> bool:
    return name.startswith(f"{group}:") if group else ":" not in name


def test_every_address_has_an_entry_and_every_entry_an_address() -> None:
    assert {address.name for address in addresses()} == {*PAGES, *REST}


@pytest.fixture
def world() -> World:
    made = make_world()
    cache.set(f"evaluator-trial:{made.project.pk}:a-trial", {"since": time.time()})  # a worker is at it
    return made


@pytest.fixture
def elsewhere() -> Project:
    return make_project("Elsewhere")


@pytest.mark.parametrize("group", GROUPS)
def test_pages(group: str, world: World, elsewhere: Project) -> None:
    clients = {role: signed_in(make_member(world.project, role)) for role in Role}
    stranger, superuser = signed_in(make_member(elsewhere, Role.ADMIN)), signed_in(make_user(superuser=True))
    wrong: list[str] = []
    for address in addresses():
        if address.name not in PAGES or not in_group(group, address.name):
            continue
        for method, least in PAGES[address.name].items():
            path = address.path(world)
            for role, client in clients.items():
                wrong += check(address.name, method, role.label, least, role, asked(client, method, path))
            wrong += check(address.name, method, "stranger", least, None, asked(stranger, method, path))
            wrong += check(address.name, method, "nobody", least, "", asked(Client(), method, path))
            wrong += check(
                address.name, method, "superuser", least, SUPERUSER, asked(superuser, method, path)
            )
    assert not wrong, "\n".join(wrong)


def check(
    name: str, method: str, who: str, least: Role | str, role: Role | str | None, status: int
) -> list[str]:
    """What is wrong with the answer, if anything. `role`: a Role, None for a stranger, "" for nobody."""
    expected = expectation(name, least, role)
    if name == "readyz":
        return [] if status in (200, 503) else [f"{method} {name} as {who}: {status}"]
    if expected == "allowed":
        fits = status < 500 and status not in (401, 403, 405) and (status != 404 or name in NOTHING_ASKED_FOR)
        fits = fits or (least == PUBLIC and status in (403, 404, 410))  # a link that is not valid
        fits = fits or (name.startswith("mfa_") and status == 404)  # two-factor is not set up for this person
    else:
        fits = str(status) == expected
    return [] if fits else [f"{method} {name} as {who}: {status}, expected {expected}"]


def expectation(name: str, least: Role | str, role: Role | str | None) -> str:
    if least == PUBLIC:
        return "allowed"
    if role == "":
        return "302"  # to the sign-in
    if least == SIGNED_IN or role == SUPERUSER:
        return "allowed"
    if least == SUPERUSER:
        return "403"
    if role is None:
        return "404"
    return "allowed" if role >= least else "403"  # type: ignore[operator]


@pytest.mark.parametrize(
    "group",
    [
        "provider",
        "prompt",
        "dataset",
        "eval",
        "comparison",
        "webhook",
        "budget",
        "schema",
        "feedback",
        "pair",
        "judge",
        "fine-tuning",
        "model",
    ],
)
def test_rest(group: str, world: World, elsewhere: Project) -> None:
    clients = {role: with_key(world.project, role) for role in Role}
    stranger = with_key(elsewhere, Role.ADMIN)
    wrong: list[str] = []
    for address in addresses():
        if address.name not in REST or not address.name.startswith(f"api:{group}"):
            continue
        entry, path = REST[address.name], address.path(world)
        for method in METHODS:
            for role, client in clients.items():
                status = asked(client, method, path)
                if not rest_fits(entry, method, role, status):
                    wrong.append(f"{method} {address.name} with a key of {role.label}: {status}")
            if method in entry and entry[method] != PUBLIC:
                if (status := asked(APIClient(), method, path)) != 401:
                    wrong.append(f"{method} {address.name} without a key: {status}")
                if address.parameters and (status := asked(stranger, method, path)) != 404:
                    wrong.append(f"{method} {address.name} with another project's key: {status}")
    assert not wrong, "\n".join(wrong)


def rest_fits(entry: Entry, method: str, role: Role, status: int) -> bool:
    least = entry.get(method)
    if least is None:
        return status in (403, 405)  # a view that serves several addresses checks the role first
    if least == PUBLIC or role >= least:  # type: ignore[operator]
        return status < 500 and status not in REFUSED
    return status == 403


def test_lists_of_another_project_are_empty(world: World, elsewhere: Project) -> None:
    """A key sees its own project's rows: what is made in one never shows in the other."""
    stranger = with_key(elsewhere, Role.ADMIN)
    for name in REST:
        if name.endswith("-list") and name.count("-") == 1 and name != "api:provider-list":
            assert stranger.get(reverse(name)).json()["results"] == [], name


def asked(client: Client | APIClient, method: str, path: str) -> int:
    """The answer's status; whatever the request wrote is undone."""
    with transaction.atomic():
        status = client.generic(method, path).status_code
        transaction.set_rollback(True)
    return status


def signed_in(user: object) -> Client:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")  # type: ignore[arg-type]
    return client


def with_key(project: Project, role: Role) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_api_key(project, role)[1]}")
    return client
