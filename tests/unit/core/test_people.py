"""Members, invitations and roles."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from apps.core.errors import Conflict, InvalidInput, NotFound, ProductError, Refused
from apps.core.links import LinkNotValid
from apps.core.models import AuditEvent, Membership, OneTimeLink, Project, User
from apps.core.people import (
    InvitationForSomebodyElse,
    LastAdmin,
    invitation_accept,
    invitation_withdraw,
    member_invite,
    member_remove,
    member_role_change,
)
from apps.core.roles import Role
from tests.factories.core import PASSWORD, actor_for, make_member, make_project, make_user

pytestmark = pytest.mark.django_db


def token_of(link: str) -> str:
    return link.rstrip("/").rsplit("/", 1)[1]


@pytest.fixture
def admin(project: Project) -> User:
    return make_member(project, Role.ADMIN)


def invite(project: Project, admin: User, email: str = "new@example.com", role: Role = Role.EDITOR) -> str:
    link = member_invite(project=project, by=actor_for(admin, project), email=email, role=role)
    return token_of(link)


def test_an_invited_person_joins_with_the_role_they_were_invited_to(project: Project, admin: User) -> None:
    token = invite(project, admin, "New@Example.com", Role.APPROVER)
    member = invitation_accept(token=token, name="New", password=PASSWORD)
    assert (member.user.email, member.role, member.project) == ("new@example.com", Role.APPROVER, project)
    assert member.user.check_password(PASSWORD)


def test_an_invitation_works_once(project: Project, admin: User) -> None:
    token = invite(project, admin)
    invitation_accept(token=token, password=PASSWORD)
    with pytest.raises(LinkNotValid):
        invitation_accept(token=token, password=PASSWORD)


def test_an_invitation_ends_after_seven_days(project: Project, admin: User) -> None:
    token = invite(project, admin)
    link = OneTimeLink.objects.get()
    assert timedelta(days=6, hours=23) < link.expires_at - timezone.now() <= timedelta(days=7)
    OneTimeLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(LinkNotValid):
        invitation_accept(token=token, password=PASSWORD)


def test_the_token_of_an_invitation_is_kept_nowhere(project: Project, admin: User) -> None:
    token = invite(project, admin)
    assert token not in str(OneTimeLink.objects.values().get())
    assert all(token not in str(event) for event in AuditEvent.objects.values())


def test_a_newer_invitation_ends_the_older_one(project: Project, admin: User) -> None:
    older = invite(project, admin)
    newer = invite(project, admin)
    with pytest.raises(LinkNotValid):
        invitation_accept(token=older, password=PASSWORD)
    assert invitation_accept(token=newer, password=PASSWORD)


def test_a_withdrawn_invitation_does_not_work(project: Project, admin: User) -> None:
    token = invite(project, admin)
    invitation_withdraw(
        project=project, by=actor_for(admin, project), invitation_id=OneTimeLink.objects.get().pk
    )
    with pytest.raises(LinkNotValid):
        invitation_accept(token=token, password=PASSWORD)


def test_an_invitation_of_another_project_cannot_be_withdrawn(project: Project, admin: User) -> None:
    invite(project, admin)
    elsewhere = make_project()
    with pytest.raises(NotFound):
        invitation_withdraw(
            project=elsewhere, by=actor_for(admin, project), invitation_id=OneTimeLink.objects.get().pk
        )


def test_somebody_with_an_account_joins_as_themselves(project: Project, admin: User) -> None:
    person = make_user("known@example.com")
    member = invitation_accept(token=invite(project, admin, "known@example.com"), user=person)
    assert member.user == person


def test_an_invitation_never_sets_the_password_of_an_existing_account(project: Project, admin: User) -> None:
    person = make_user("known@example.com", password=PASSWORD)
    token = invite(project, admin, "known@example.com")
    with pytest.raises(Conflict):
        invitation_accept(token=token, password="another long passphrase")
    person.refresh_from_db()
    assert person.check_password(PASSWORD)


def test_an_invitation_is_for_the_person_it_names(project: Project, admin: User) -> None:
    with pytest.raises(InvitationForSomebodyElse):
        invitation_accept(token=invite(project, admin), user=make_user("other@example.com"))


def test_a_weak_password_uses_up_nothing(project: Project, admin: User) -> None:
    token = invite(project, admin)
    with pytest.raises(InvalidInput) as caught:
        invitation_accept(token=token, password="short")
    assert "password" in caught.value.fields
    assert invitation_accept(token=token, password=PASSWORD)


def test_members_are_not_invited_again(project: Project, admin: User) -> None:
    with pytest.raises(Conflict):
        invite(project, admin, admin.email.upper())


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c", "a\x00@example.com", "x" * 300 + "@example.com"])
def test_what_is_no_address_is_not_invited(project: Project, admin: User, email: str) -> None:
    with pytest.raises(InvalidInput):
        invite(project, admin, email)


def test_nobody_gives_a_role_above_their_own(project: Project, admin: User) -> None:
    approver = make_member(project, Role.APPROVER)
    viewer = make_member(project, Role.VIEWER)
    by = actor_for(approver, project)
    with pytest.raises(Refused):
        member_invite(project=project, by=by, email="new@example.com", role=Role.ADMIN)
    with pytest.raises(Refused):
        member_role_change(project=project, by=by, user=viewer, role=Role.ADMIN)


def test_a_change_of_role_is_noted_with_before_and_after(project: Project, admin: User) -> None:
    viewer = make_member(project, Role.VIEWER)
    member_role_change(project=project, by=actor_for(admin, project), user=viewer, role=Role.EDITOR)
    event = AuditEvent.objects.get(action="member.change_role")
    assert (event.before, event.after) == ({"role": "viewer"}, {"role": "editor"})
    assert (event.actor_label, event.address, event.target_label) == (admin.email, "192.0.2.1", viewer.email)


def test_the_last_admin_is_neither_removed_nor_demoted(project: Project, admin: User) -> None:
    make_member(project, Role.APPROVER)
    by = actor_for(admin, project)
    with pytest.raises(LastAdmin):
        member_remove(project=project, by=by, user=admin)
    with pytest.raises(LastAdmin):
        member_role_change(project=project, by=by, user=admin, role=Role.VIEWER)


def test_an_admin_whose_account_is_closed_does_not_count(project: Project, admin: User) -> None:
    closed = make_member(project, Role.ADMIN)
    User.objects.filter(pk=closed.pk).update(is_active=False)
    with pytest.raises(LastAdmin):
        member_remove(project=project, by=actor_for(admin, project), user=admin)


def test_what_a_removed_admin_had_offered_is_void(project: Project, admin: User) -> None:
    leaving = make_member(project, Role.ADMIN)
    token = invite(project, leaving)
    member_remove(project=project, by=actor_for(admin, project), user=leaving)
    with pytest.raises(LinkNotValid):
        invitation_accept(token=token, password=PASSWORD)


def test_a_demoted_admin_s_offers_above_the_new_role_are_void(project: Project, admin: User) -> None:
    other = make_member(project, Role.ADMIN)
    high, low = invite(project, other, "a@example.com", Role.ADMIN), invite(project, other, "b@example.com")
    member_role_change(project=project, by=actor_for(admin, project), user=other, role=Role.EDITOR)
    with pytest.raises(LinkNotValid):
        invitation_accept(token=high, password=PASSWORD)
    assert invitation_accept(token=low, password=PASSWORD)


def test_members_of_other_projects_are_out_of_reach(project: Project, admin: User) -> None:
    elsewhere = make_member(make_project(), Role.VIEWER)
    with pytest.raises(NotFound):
        member_remove(project=project, by=actor_for(admin, project), user=elsewhere)


def at_once(*calls: Callable[[], object]) -> list[ProductError | None]:
    """Run the calls in threads that begin together; what each raised, None where it went well."""
    barrier = Barrier(len(calls))

    def attempt(call: Callable[[], object]) -> ProductError | None:
        try:
            barrier.wait(timeout=10)
            call()
        except ProductError as exc:
            return exc
        finally:
            connection.close()
        return None

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(attempt, calls))


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_remove_each_other_at_once_leave_one() -> None:
    project = make_project()
    one, two = make_member(project, Role.ADMIN), make_member(project, Role.ADMIN)
    by_one, by_two = actor_for(one, project), actor_for(two, project)
    errors = at_once(
        lambda: member_remove(project=project, by=by_one, user=two),
        lambda: member_remove(project=project, by=by_two, user=one),
    )
    assert [type(error) for error in errors if error] in ([Refused], [LastAdmin])
    assert Membership.objects.filter(project=project, role=Role.ADMIN).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_step_down_at_once_leave_one() -> None:
    project = make_project()
    one, two = make_member(project, Role.ADMIN), make_member(project, Role.ADMIN)
    by_one, by_two = actor_for(one, project), actor_for(two, project)
    errors = at_once(
        lambda: member_role_change(project=project, by=by_one, user=one, role=Role.VIEWER),
        lambda: member_role_change(project=project, by=by_two, user=two, role=Role.VIEWER),
    )
    assert [type(error) for error in errors if error] == [LastAdmin]
    assert Membership.objects.filter(project=project, role=Role.ADMIN).count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_invitation_opened_twice_at_once_makes_one_account() -> None:
    project = make_project()
    token = invite(project, make_member(project, Role.ADMIN))
    errors = at_once(*[lambda: invitation_accept(token=token, password=PASSWORD)] * 2)
    assert sum(error is None for error in errors) == 1
    assert Membership.objects.filter(project=project, user__email="new@example.com").count() == 1
