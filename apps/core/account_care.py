"""What admins do about other people's accounts, and people about their own address. Nobody is deleted."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import transaction

from apps.core.accounts import clean_email
from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.errors import Conflict, InvalidInput, Refused
from apps.core.links import Purpose, links_void, open_links
from apps.core.locks import transaction_lock
from apps.core.models import Project, User
from apps.core.selectors import may_look_after

#: Two admins who switch each other off at the same moment: the second finds that they may not any more.
_CARE = "care of accounts"


class OwnAccount(Refused):
    """A person's own account is changed on their own page, where the password is asked for."""

    code = "own_account"
    title = "This is your own account"


class TooManyTries(Refused):
    code = "too_many_tries"
    title = "Too many tries"
    status = 429


def account_deactivate(*, by: Actor, user: User, project: Project | None = None) -> User:
    """Switch an account off: its sessions, reset links and the invitations it made end; what it made stays.

    Raises Refused (see `may_look_after`) and OwnAccount.
    """
    with transaction.atomic():
        user = _taken_into_care(by, user)
        if user.is_active:
            user.is_active = False
            user.save(update_fields=["is_active"])
            links_void(open_links(Purpose.PASSWORD_RESET).filter(user=user))
            links_void(open_links(Purpose.INVITATION).filter(made_by=user.email))
            audit(by, "user.deactivate", user, project=project)
    return user


def account_reactivate(*, by: Actor, user: User, project: Project | None = None) -> User:
    """Switch an account on again, with its password, second factor and roles as they were."""
    with transaction.atomic():
        user = _taken_into_care(by, user)
        if not user.is_active:
            user.is_active = True
            user.save(update_fields=["is_active"])
            audit(by, "user.reactivate", user, project=project)
    return user


def second_factor_reset(*, by: Actor, user: User, project: Project | None = None) -> bool:
    """Remove a lost second factor with its recovery codes; False when there was none.

    The password alone signs the person in until they set up a new one. Raises Refused, OwnAccount.
    """
    with transaction.atomic():
        user = _taken_into_care(by, user)
        factors = Authenticator.objects.filter(user=user)
        kinds = sorted(factors.values_list("type", flat=True))
        if kinds:
            factors.delete()
            audit(by, "user.second_factor_reset", user, project=project, before={"kinds": kinds})
    return bool(kinds)


def email_change(*, user: User, by: Actor, email: str, password: str) -> User:
    """Give one's own account another address, by which one signs in from now on.

    Raises InvalidInput for a wrong password or address, Conflict for an address that has an account.
    """
    email = clean_email(email)
    with transaction.atomic():
        transaction_lock(f"email {email}")
        user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not user.check_password(password):
            raise InvalidInput("The password is not correct.", fields={"password": ["Not correct."]})
        if User.objects.filter(email__iexact=email).exclude(pk=user.pk).exists():
            problem = f"There is already an account for {email}."
            raise Conflict(problem, fields={"email": [problem]})
        before, user.email = user.email, email
        if before != email:
            user.save(update_fields=["email"])
            EmailAddress.objects.filter(user=user).delete()  # allauth signs people in by these, too
            links_void(open_links(Purpose.PASSWORD_RESET).filter(user=user))
            open_links(Purpose.INVITATION).filter(made_by=before).update(made_by=email)
            audit(
                by, "user.change_email", user, project=None, before={"email": before}, after={"email": email}
            )
    return user


def _taken_into_care(by: Actor, user: User) -> User:
    """The account, locked; one change of this kind at a time. Raises Refused, OwnAccount."""
    transaction_lock(_CARE)
    if by.kind == "user" and by.id == str(user.pk):
        raise OwnAccount("Change it under Account, or ask another admin.")
    if not may_look_after(by=by, user=user):
        raise Refused(
            f"The account of {user.email} can be changed by a superuser, or by someone who is admin of every "
            "project that person is in."
        )
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)
