"""All that core can do, under one roof: what other rooms and commands call."""

from apps.core.accounts import (
    account_rename,
    first_admin_create,
    first_admin_link,
    password_reset_link,
    password_reset_use,
    user_create,
)
from apps.core.api_keys import api_key_create, api_key_revoke
from apps.core.people import (
    invitation_accept,
    invitation_withdraw,
    member_invite,
    member_remove,
    member_role_change,
)
from apps.core.projects import (
    may_create_projects,
    project_archive,
    project_create,
    project_rename,
    project_unarchive,
)

__all__ = [
    "account_rename",
    "api_key_create",
    "api_key_revoke",
    "first_admin_create",
    "first_admin_link",
    "invitation_accept",
    "invitation_withdraw",
    "may_create_projects",
    "member_invite",
    "member_remove",
    "member_role_change",
    "password_reset_link",
    "password_reset_use",
    "project_archive",
    "project_create",
    "project_rename",
    "project_unarchive",
    "user_create",
]
