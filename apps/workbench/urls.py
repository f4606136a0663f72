"""The workbench, under /p/<project>/prompts/. Addresses that begin with "-" can be no prompt's slug."""

from django.urls import path

from apps.workbench import views
from apps.workbench.drafts import views as views_drafts

app_name = "workbench"
urlpatterns = [
    path("<slug:slug>/draft/", views_drafts.draft, name="draft"),
    path("<slug:slug>/", views.workbench, name="prompt"),
    path("<slug:slug>/versions/<int:number>/typed/", views.version_typed, name="version-typed"),
]
