"""The workbench, under /p/<project>/prompts/. Addresses that begin with "-" can be no prompt's slug."""

from django.urls import path

from apps.workbench import values_views, views, views_language, views_saving, views_timeline
from apps.workbench.calls import history_views
from apps.workbench.calls import views as call_views
from apps.workbench.conversations import views as conversation_views
from apps.workbench.drafts import views as views_drafts
from apps.workbench.trials import views as trial_views

app_name = "workbench"
_TRIAL = "-/trials/<uuid:trial_id>/"
_CONVERSATION = "-/conversations/<uuid:conversation_id>/"

urlpatterns = [
    path("-/completions/", views_language.completions, name="completions"),
    path("<slug:slug>/check/", views_language.check, name="check"),
    path(_TRIAL, trial_views.trial_detail, name="trial-detail"),
    path(f"{_TRIAL}stop/", trial_views.trial_stop, name="trial-stop"),
    path(f"{_TRIAL}retry/", trial_views.trial_retry, name="trial-retry"),
    path(_CONVERSATION, conversation_views.conversation, name="conversation"),
    path(f"{_CONVERSATION}settings/", conversation_views.conversation_settings, name="conversation-settings"),
    path(f"{_CONVERSATION}turns/", conversation_views.turns_view, name="conversation-turns"),
    path(f"{_CONVERSATION}example/", conversation_views.conversation_example, name="conversation-example"),
    path("<slug:slug>/values/", values_views.values, name="values"),
    path("<slug:slug>/values/past/", values_views.past_values, name="values-past"),
    path("<slug:slug>/trial/", trial_views.trial, name="trial"),
    path("<slug:slug>/trial/choices/", trial_views.trial_choices, name="trial-choices"),
    path("<slug:slug>/trial/plan/", trial_views.trial_plan, name="trial-plan"),
    path("<slug:slug>/conversations/", conversation_views.conversations, name="conversations"),
    path("<slug:slug>/conversations/new/", conversation_views.conversation_new, name="conversation-new"),
    path("-/calls/<uuid:call_id>/", call_views.call, name="call"),
    path("-/calls/<uuid:call_id>/stop/", call_views.stop, name="call-stop"),
    path("<slug:slug>/run/", call_views.run, name="run"),
    path("<slug:slug>/stream/", call_views.stream, name="stream"),
    path("<slug:slug>/calls/", call_views.calls, name="calls"),
    path("<slug:slug>/history/", history_views.history_list, name="history"),
    path("<slug:slug>/history/<uuid:call_id>/", history_views.call_page, name="call-page"),
    path("<slug:slug>/draft/", views_drafts.draft, name="draft"),
    path("<slug:slug>/save/", views_saving.save, name="save"),
    path("<slug:slug>/labels/move/", views_saving.label_move, name="label-move"),
    path("<slug:slug>/timeline/", views_timeline.timeline, name="timeline"),
    path("<slug:slug>/", views.workbench, name="prompt"),
    path("<slug:slug>/versions/<int:number>/typed/", views.version_typed, name="version-typed"),
]
