"""Addresses of pages."""

urlpatterns: list = []
