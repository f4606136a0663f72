"""Pages of this room, below /p/<project>/providers/."""

from django.urls import path

from apps.providers import views, views_models

app_name = "providers"
urlpatterns = [
    path("", views.provider_index, name="list"),
    path("new/", views.provider_new, name="create"),
    path("<slug:slug>/", views.provider_detail, name="detail"),
    path("<slug:slug>/edit/", views.provider_edit, name="edit"),
    path("<slug:slug>/archive/", views.provider_archiving, name="archive"),
    path("<slug:slug>/models/new/", views_models.model_new, name="model-add"),
    path("<slug:slug>/models/<uuid:model_id>/price/", views_models.model_pricing, name="model-price"),
    path("<slug:slug>/test/", views_models.test_start, name="test"),
    path("<slug:slug>/tests/<uuid:test_id>/", views_models.test_status, name="test-status"),
]
