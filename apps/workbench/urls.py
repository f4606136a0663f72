"""The workbench, under /p/<project>/prompts/. Addresses that begin with "-" can be no prompt's slug."""

from django.urls import path

from apps.workbench import views
from apps.workbench.calls import views as call_views
from apps.workbench.drafts import views as views_drafts

app_name = "workbench"
urlpatterns = [
    path("-/calls/<uuid:call_id>/", call_views.call, name="call"),
    path("-/calls/<uuid:call_id>/stop/", call_views.stop, name="call-stop"),
    path("<slug:slug>/run/", call_views.run, name="run"),
    path("<slug:slug>/stream/", call_views.stream, name="stream"),
    path("<slug:slug>/calls/", call_views.calls, name="calls"),
    path("<slug:slug>/draft/", views_drafts.draft, name="draft"),
    path("<slug:slug>/", views.workbench, name="prompt"),
    path("<slug:slug>/versions/<int:number>/typed/", views.version_typed, name="version-typed"),
]
