"""Addresses of pages. Those that begin with "-" can be no prompt's slug."""

from django.urls import path

from apps.feedback.chat import views

urlpatterns = [
    path("", views.chat_list, name="chat"),
    path("-/answers/<uuid:call_id>/", views.chat_answer, name="chat-answer"),
    path("-/answers/<uuid:call_id>/stop/", views.chat_stop, name="chat-stop"),
    path("<slug:slug>/", views.chat, name="chat-prompt"),
    path("<slug:slug>/turn/", views.chat_turn, name="chat-turn"),
]
