"""The workbench of a prompt, under /p/<project>/prompts/. Addresses that begin with "-" are no prompt's slug."""

from django.urls import path

from apps.workbench import views

app_name = "workbench"
urlpatterns = [
    path("<slug:slug>/", views.workbench, name="prompt"),
]
