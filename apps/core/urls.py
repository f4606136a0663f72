"""People's pages: beginning, projects, members, keys, the audit log, one's own account."""

from django.urls import URLPattern, path

from apps.core import (
    views_account,
    views_audit,
    views_care,
    views_keys,
    views_links,
    views_members,
    views_projects,
)

PROJECT = "p/<slug:project_slug>/"

app_name = "core"
urlpatterns: list[URLPattern] = [
    path("", views_projects.home, name="home"),
    path("projects/new/", views_projects.project_new, name="project-create"),
    path("audit/", views_audit.accounts_log, name="accounts-audit"),
    path("audit/export.csv", views_audit.accounts_log_export, name="accounts-audit-export"),
    path("account/", views_account.account, name="account"),
    path("account/email/", views_account.account_email, name="account-email"),
    path("accounts/", views_care.account_list, name="accounts"),
    path("accounts/<uuid:user_id>/", views_care.account_of, name="account-of"),
    path("begin/", views_links.not_set_up, name="not-set-up"),
    path("setup/<str:token>/", views_links.setup, name="setup"),
    path("invitation/<str:token>/", views_links.invitation, name="invitation"),
    path("reset/<str:token>/", views_links.password_reset, name="password-reset"),
    path(PROJECT, views_projects.project_home, name="project-home"),
    path(f"{PROJECT}settings/", views_projects.project_settings, name="project-settings"),
    path(f"{PROJECT}settings/archive/", views_projects.project_archiving, name="project-archive"),
    path(f"{PROJECT}members/", views_members.members, name="members"),
    path(f"{PROJECT}members/invite/", views_members.member_invitation, name="member-invite"),
    path(
        f"{PROJECT}members/invitations/<uuid:invitation_id>/withdraw/",
        views_members.member_invitation_withdraw,
        name="member-invitation-withdraw",
    ),
    path(f"{PROJECT}members/<uuid:member_id>/", views_care.member, name="member"),
    path(f"{PROJECT}members/<uuid:member_id>/role/", views_members.member_role, name="member-role"),
    path(f"{PROJECT}members/<uuid:member_id>/remove/", views_members.member_removal, name="member-remove"),
    path(
        f"{PROJECT}members/<uuid:member_id>/reset-link/",
        views_members.member_reset_link,
        name="member-reset-link",
    ),
    path(f"{PROJECT}api-keys/", views_keys.api_keys, name="api-keys"),
    path(f"{PROJECT}api-keys/<uuid:key_id>/revoke/", views_keys.api_key_revocation, name="api-key-revoke"),
    path(f"{PROJECT}audit/", views_audit.audit_log, name="audit"),
    path(f"{PROJECT}audit/export.csv", views_audit.audit_export, name="audit-export"),
]
