"""Addresses of pages."""

from django.urls import path

from apps.feedback.pairs import views

urlpatterns = [
    path("import-pairs/", views.pairs_import, name="pairs-import"),
    path("import-pairs/<uuid:import_id>/", views.pairs_import_detail, name="pairs-import-detail"),
]
