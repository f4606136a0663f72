"""Accounts: the first admin, new people, passwords and the links that reset them."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import Conflict, InvalidInput, Refused
from apps.core.links import Purpose, link_create, link_get, link_use, links_void, open_links
from apps.core.locks import transaction_lock
from apps.core.models import OneTimeLink, Project, User
from apps.core.projects import project_create
from apps.core.roles import Role
from apps.core.selectors import may_look_after

FIRST_ADMIN_LINK_LASTS = timedelta(days=7)
RESET_LINK_LASTS = timedelta(days=1)
_FIRST_ADMIN = "first admin"


class AlreadySetUp(Conflict):
    code = "already_set_up"
    title = "This installation has its admin already"


def first_admin_link() -> str | None:
    """The path of a new link that makes the first admin, once; None when there is somebody already.

    Links made before are void from now on, so only the newest that the console printed works.
    """
    with transaction.atomic():
        transaction_lock(_FIRST_ADMIN)
        if User.objects.exists():
            return None
        links_void(OneTimeLink.objects.filter(purpose=Purpose.FIRST_ADMIN, used_at=None))
        _, token = link_create(Purpose.FIRST_ADMIN, lasts=FIRST_ADMIN_LINK_LASTS, made_by="console")
    return reverse("core:setup", args=[token])


def first_admin_create(
    *, token: str, email: str, name: str, password: str, project_name: str, address: str = ""
) -> tuple[User, Project]:
    """Make the first person, a superuser, with a first project. Raises LinkNotValid, AlreadySetUp."""
    with transaction.atomic():
        transaction_lock(_FIRST_ADMIN)
        link = link_get(Purpose.FIRST_ADMIN, token, lock=True)
        if User.objects.exists():
            raise AlreadySetUp("Sign in, or ask an admin to invite you.")
        console = Actor(kind="system", id="", label="first admin link", address=address)
        user = user_create(by=console, email=email, name=name, password=password, superuser=True)
        person = Actor(kind="user", id=str(user.pk), label=user.email, role=Role.ADMIN, address=address)
        project = project_create(by=person, name=project_name)
        link_use(link)
    return user, project


def user_create(
    *, by: Actor, email: str, password: str | None, name: str = "", superuser: bool = False
) -> User:
    """Make an account. A password of None makes one that cannot sign in until a reset link is used."""
    email = clean_email(email)
    user = User(email=email, name=clean_person_name(name), is_superuser=superuser)
    if password is None:
        user.set_unusable_password()
    else:
        check_password_strength(password, user)
        user.set_password(password)
    with transaction.atomic():
        transaction_lock(f"email {email}")
        if User.objects.filter(email__iexact=email).exists():
            raise Conflict(
                f"There is already an account for {email}.",
                fields={"email": ["This person has an account already."]},
            )
        user.save()
        audit(by, "user.create", user, project=None, after={"email": email, "superuser": superuser})
    return user


def account_rename(*, user: User, by: Actor, name: str) -> User:
    """Change the name that others see."""
    name = clean_person_name(name)
    with transaction.atomic():
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if user.name != name:
            before, user.name = user.name, name
            user.save(update_fields=["name"])
            audit(by, "user.rename", user, project=None, before={"name": before}, after={"name": name})
    return user


def password_reset_link(*, by: Actor, user: User, project: Project | None = None) -> str:
    """The path of a new link, good for one day, that sets the person's password once.

    Older ones are void from now on. Raises Refused; see `may_look_after` for who may.
    """
    if not may_look_after(by=by, user=user):
        raise Refused(
            f"A reset link for {user.email} can be made by a superuser, or by someone who is admin of every "
            "project that person is in."
        )
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        links_void(open_links(Purpose.PASSWORD_RESET).filter(user=user))
        _, token = link_create(Purpose.PASSWORD_RESET, lasts=RESET_LINK_LASTS, user=user, made_by=by.label)
        audit(by, "user.password_reset_link", user, project=project)
    return reverse("core:password-reset", args=[token])


def password_reset_use(*, token: str, password: str, address: str = "") -> User:
    """Set the password of the link's person, which ends all their sessions. Raises LinkNotValid."""
    with transaction.atomic():
        link = link_get(Purpose.PASSWORD_RESET, token, lock=True)
        assert link.user is not None  # every reset link is somebody's
        user = User.objects.select_for_update(no_key=True).get(pk=link.user.pk)
        check_password_strength(password, user)
        user.set_password(password)
        user.save(update_fields=["password"])
        link_use(link)
        holder = Actor(kind="user", id=str(user.pk), label=user.email, address=address)
        audit(holder, "user.password_reset", user, project=None, after={"link_made_by": link.made_by})
    return user


def clean_email(email: str) -> str:
    """The address in lower case. Raises InvalidInput when it is none."""
    email = email.strip().lower()
    try:
        validate_email(email)
        if len(email) > 254 or "\x00" in email:
            raise ValidationError("too long")
    except ValidationError:
        raise InvalidInput(
            f"{email[:80]!r} is not an email address.", fields={"email": ["Enter an email address."]}
        ) from None
    return email


def clean_person_name(name: str) -> str:
    return " ".join(name.replace("\x00", "").split())[:120]


def check_password_strength(password: str, user: User) -> None:
    """Raises InvalidInput with every rule that the password breaks."""
    try:
        validate_password(password, user)
    except ValidationError as exc:
        raise InvalidInput(" ".join(exc.messages), fields={"password": list(exc.messages)}) from None
