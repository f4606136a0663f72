"""What happened, under /p/<project>/traces/."""

from django.urls import path

from apps.traces import views

app_name = "traces"
urlpatterns = [
    path("", views.span_list, name="list"),
    path("<uuid:span_id>/", views.span_detail, name="span"),
]
