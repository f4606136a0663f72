"""People's pages: beginning, projects, members, keys, the audit log, one's own account."""

from django.urls import URLPattern, path

from apps.core import (
    views_account,
    views_audit,
    views_care,
    views_keys,
    views_links,
    views_members,
    views_news,
    views_projects,
    views_webhooks,
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
    path("notifications/", views_news.notifications, name="notifications"),
    path("notifications/bell/", views_news.bell, name="bell"),
    path("notifications/read/", views_news.notifications_read, name="notifications-read"),
    path("notifications/mail/", views_news.notifications_mail, name="notifications-mail"),
    path("notifications/<uuid:news_id>/", views_news.notification_open, name="notification-open"),
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
    path(f"{PROJECT}webhooks/", views_webhooks.webhooks, name="webhooks"),
    path(f"{PROJECT}webhooks/<uuid:webhook_id>/", views_webhooks.webhook, name="webhook"),
    path(f"{PROJECT}webhooks/<uuid:webhook_id>/test/", views_webhooks.webhook_testing, name="webhook-test"),
    path(
        f"{PROJECT}webhooks/<uuid:webhook_id>/remove/", views_webhooks.webhook_removal, name="webhook-remove"
    ),
    path(
        f"{PROJECT}webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/again/",
        views_webhooks.webhook_redelivery,
        name="webhook-redeliver",
    ),
    path(f"{PROJECT}audit/", views_audit.audit_log, name="audit"),
    path(f"{PROJECT}audit/export.csv", views_audit.audit_export, name="audit-export"),
]
