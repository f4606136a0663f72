"""People, projects, keys and clients for tests: a pytest plugin."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.core.actor import Actor
from apps.core.api_keys import api_key_create
from apps.core.models import ApiKey, Membership, Project, User
from apps.core.projects import project_create
from apps.core.roles import Role

PASSWORD = "a long enough passphrase"
#: Somebody who may do everything, for services.
SYSTEM = Actor.system("tests")
_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
_numbers = count(1)


def make_project(name: str | None = None) -> Project:
    """A project made by the system, so without members."""
    return project_create(by=SYSTEM, name=name or f"Project {next(_numbers)}")


def make_user(email: str | None = None, *, superuser: bool = False, password: str | None = None) -> User:
    """A person; without `password` one who signs in by force_login only (hashing a password takes long)."""
    user = User(email=email or f"person{next(_numbers)}@example.com", is_superuser=superuser)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    user.save()
    return user


def make_member(project: Project, role: Role, user: User | None = None) -> User:
    user = user or make_user()
    Membership.objects.create(project=project, user=user, role=role)
    return user


def make_api_key(project: Project, role: Role, name: str = "a script") -> tuple[ApiKey, str]:
    return api_key_create(project=project, by=SYSTEM, name=name, role=role)


def actor_for(user: User, project: Project | None = None) -> Actor:
    """The person as an Actor, with the role they have in `project`."""
    member = Membership.objects.filter(project=project, user=user).first() if project else None
    role = Role(member.role) if member else Role.ADMIN if user.is_superuser else None
    return Actor(kind="user", id=str(user.pk), label=user.email, role=role, address="192.0.2.1")


@pytest.fixture
def project(db: None) -> Project:
    return make_project()


@pytest.fixture
def other_project(db: None) -> Project:
    """A project that nobody made by the other fixtures belongs to."""
    return make_project("Somebody else's")


@pytest.fixture
def actor() -> Actor:
    """Somebody who may do everything, for services."""
    return SYSTEM


@pytest.fixture
def user_with_role(project: Project) -> Callable[[Role], User]:
    """user_with_role(Role.EDITOR): a new member of `project`."""
    return lambda role: make_member(project, role)


@pytest.fixture
def client_as(user_with_role: Callable[[Role], User]) -> Callable[[Role], Client]:
    """client_as(Role.EDITOR): a browser in which a new member of `project` is signed in."""

    def signed_in(role: Role) -> Client:
        client = Client()
        client.force_login(user_with_role(role), backend=_BACKEND)
        return client

    return signed_in


@pytest.fixture
def stranger_client(db: None) -> Client:
    """A browser in which somebody is signed in who belongs to no project."""
    client = Client()
    client.force_login(make_user(), backend=_BACKEND)
    return client


@pytest.fixture
def superuser_client(db: None) -> Client:
    client = Client()
    client.force_login(make_user(superuser=True), backend=_BACKEND)
    return client


@pytest.fixture
def api_client(project: Project) -> Callable[[Role], APIClient]:
    """api_client(Role.EDITOR): a REST client with a key of `project`."""

    def with_key(role: Role) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_api_key(project, role)[1]}")
        return client

    return with_key
